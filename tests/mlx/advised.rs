//! What advice says to write, run under MLX: it must do what the code before it did, or was meant to do.

use mlxfix::platform::Target;

use super::guide::{found, holds};
use super::{read, root};

#[test]
fn the_arrays_that_are_advised_in_place_of_numbers_give_the_same() {
    let example = read(&root().join("examples/compile_scalar_args/match.py"));
    let advice = found("compile-scalar-args", &example, Target::Metal);
    let told = advice.iter().flat_map(|f| &f.rationale).filter_map(|line| line.strip_prefix("Pass `")?.split("`.").next());
    let told: Vec<Vec<&str>> = told.map(|codes| codes.split("` and `").collect()).collect();
    // What the function computes, with what it makes of its numbers; the numbers; two values of them.
    let functions = [
        ("mx.where(x < mx.max(x) + {}, -float('inf'), x)", vec!["math.log(min_p)"], "min_p", "0.05, 0.1"),
        ("mx.softmax(x / {}, axis=-1)", vec!["temperature"], "temperature", "0.9, 0.7"),
        ("x / {} / (mx.sqrt(x / {}) + 1e-8)", vec!["1 - 0.9**step", "1 - 0.999**step"], "step", "5, 300"),
        ("x + x * {}", vec!["next_sigma - sigma"], "sigma, next_sigma", "(0.3, 0.1), (0.2, 0.7)"),
        ("mx.tanh(x) * {}", vec!["scale"], "scale", "0.1, 3"),
        ("x / {} + 3", vec!["largest"], "largest", "mx.max(x).item(), mx.max(x).item()"),
        ("mx.where(x < {} * mx.sum(x.astype(mx.float32)), 0, x)", vec!["top_p"], "top_p", "0.02, 0.017"),
        ("mx.where(x > {}, x, 0)", vec!["top_p"], "top_p", "1.2, 1.7"),
        ("mx.where(mx.sum(x > {}).astype(mx.float32) > {}, x, 0)", vec!["threshold", "probability"], "threshold, probability", "(1.2, 3), (1.7, 64)"),
        ("mx.softmax(x / {}, axis=-1)", vec!["temperature"], "temperature", "0.9, 0.7"),
        ("x + mx.array({}, x.dtype) * (x * x - x)", vec!["share"], "share", "0.3, 0.7"),
    ];
    assert_eq!(told.len(), functions.len(), "{told:#?}");
    let mut program = "import math\n\nimport mlx.core as mx\n".to_owned();
    for (codes, (computed, numbers, names, values)) in told.iter().zip(functions) {
        assert_eq!(codes.len(), numbers.len(), "{codes:?}");
        let filled = |parts: &[&str]| parts.iter().fold(computed.to_owned(), |text, part| text.replacen("{}", &format!("({part})"), 1));
        program += &format!(
            "for dtype in (mx.float32, mx.float16, mx.bfloat16):\n    x = mx.random.uniform(1, 2, (64,), key=mx.random.key(0)).astype(dtype)\n    \
             logprobs = logits = m = v = noise = probs = x\n    traced = 0\n\n    @mx.compile\n    def compiled(x, a, b=None):\n        \
             global traced\n        traced += 1\n        return {}\n\n    for {names} in [{values}]:\n        expected = mx.compile(lambda x: {})(x)\n        \
             result = compiled(x, {})\n        \
             assert result.dtype == expected.dtype == dtype and mx.array_equal(result, expected), (dtype, {names})\n    \
             assert traced == 1\n",
            filled(&["a", "b"]),
            filled(&numbers),
            codes.join(", "),
        );
    }
    holds(&program);
}

#[test]
fn a_test_of_an_array_raises_while_it_is_traced_and_spoils_the_random_state_that_is_listed() {
    holds(
        "from functools import partial\n\nimport mlx.core as mx\n\n\ndef raises(function):\n    try:\n        mx.eval(function())\n    except (ValueError, RuntimeError):\n        \
         return True\n    return False\n\n\n@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)\ndef f(x, p):\n    if not 0 <= p <= 0.5:\n        \
         raise KeyError(p)\n    return mx.where(mx.random.uniform(shape=x.shape) > p, x, 0)\n\n\n\
         assert not raises(lambda: f(mx.ones(4), 0.2))\nassert raises(lambda: f(mx.ones(4), mx.array(0.2)))\n\
         assert raises(lambda: mx.random.uniform()) and raises(lambda: f(mx.ones(4), 0.3))\n\
         try:\n    mx.eval(mx.random.uniform())\nexcept RuntimeError as error:\n    assert 'Attempting to eval an array without a primitive' in str(error)\n",
    );
}

#[test]
fn the_state_that_is_advised_is_carried_from_call_to_call() {
    // What is changed, how, and what it holds after three calls.
    let forms = [
        ("held = {'n': mx.array(0.0)}", "held['n'] = held['n'] + x", "held['n']", "`state = [..., held]`"),
        ("held = [mx.array(0.0)]", "held[0] = held[0] + x", "held[0]", "`state = [..., held]`"),
        ("held = mx.zeros(2)", "held[0] = held[0] + x", "state[0][0]", "`state = [held]`"),
        ("class Plain:\n    n = mx.array(0.0)\n\n\nheld = Plain()\nheld.n = Plain.n", "held.n = held.n + x", "held.n", "`state = [..., vars(held)]`"),
        ("held = nn.Module()\nheld.n = mx.array(0.0)", "held.n = held.n + x", "held.n", "`state = [..., held.state]`"),
        ("held = mx.array(0.0)", "global held\n    held = held + x", "state[0]", "`state = [held]`"),
    ];
    let calls = |made: &str, listed: &str, changed: &str, result: &str| {
        format!(
            "from functools import partial\n\nimport mlx.core as mx\nimport mlx.nn as nn\n\n{made}\n{listed}\ndef add(x):\n    {changed}\n    return x * 2\n\n\n\
             for _ in range(3):\n    add(mx.array(1.0))\nright = False\ntry:\n    right = mx.array_equal({result}, 3.0).item()\nexcept (RuntimeError, NameError):\n    pass\n"
        )
    };
    for (made, changed, result, code) in forms {
        let without = calls(made, "@mx.compile", changed, &result.replace("state[0]", "held"));
        let advice = found("compile-captures", &without, Target::Metal);
        assert!(advice.len() == 1 && advice[0].rationale.iter().any(|line| line.contains(code)), "{advice:#?}");
        holds(&format!("{without}assert not right\n"));
        let listed = format!("{}\n@partial(mx.compile, inputs=state, outputs=state)", code.trim_matches('`').replace("..., ", ""));
        // Where the state itself holds the array, the function changes it there.
        let is_held_there = result.starts_with("state");
        let changed = if is_held_there { changed.replace("global held\n    ", "").replace("held", "state[0]") } else { changed.to_owned() };
        holds(&format!("{}assert right\n", calls(made, &listed, &changed, result)));
    }
}

#[test]
fn what_another_function_assigns_is_not_seen_by_a_compiled_one() {
    let program = "import mlx.core as mx\n\nbias = mx.zeros(1)\n\n\n@mx.compile\ndef shifted(x):\n    return x + bias\n\n\n\
                   def change():\n    global bias\n    bias = bias + 1\n";
    let assertions = "first = shifted(mx.zeros(1)).item()\nchange()\nassert bias.item() == 1 and shifted(mx.zeros(1)).item() == first == 0\n";
    for program in [program.to_owned(), program.replace("    global bias\n    bias = bias + 1\n", "    bias[0] = 1\n")] {
        holds(&format!("{program}\n\n{assertions}"));
        let advice = found("compile-captures", &program, Target::Metal);
        assert!(advice.len() == 1 && advice[0].message.contains("reads `bias`"), "{program}");
    }
    // What is told to do: a list that `inputs` names, changed there.
    let kept = program.replace("bias = mx.zeros(1)", "held = [mx.zeros(1)]").replace("@mx.compile", "@partial(mx.compile, inputs=held)");
    let kept = kept.replace("x + bias", "x + held[0]").replace("    global bias\n    bias = bias + 1", "    held[0] = held[0] + 1");
    holds(&format!(
        "from functools import partial\n\n{kept}\n\nfirst = shifted(mx.zeros(1)).item()\nchange()\nassert shifted(mx.zeros(1)).item() == first + 1\n"
    ));
    assert!(found("compile-captures", &kept, Target::Metal).is_empty());
}

#[test]
fn what_asks_for_data_is_known_and_nothing_else() {
    let asks = [
        "l.item()",
        "x.tolist()",
        "float(l)",
        "complex(l)",
        "bytes(x)",
        "memoryview(x)",
        "format(l)",
        "f'{l}'",
        "'{}'.format(l)",
        "'%s' % l",
        "'%s %d' % (l, 1)",
        "str([x])",
        "max([l, l])",
        "sorted(x)",
        "3 in x",
        "l in [1, 2]",
        "[1, 2, 3][l]",
        "names[l]",
        "range(l)",
        "1 < l < 3",
        "math.sqrt(l)",
        "np.sqrt(x)",
        "np.array(x)",
        "np.array([l])",
        "np.stack([x])",
        "np.concatenate((x, x))",
        "pickle.dumps(x)",
        "mx.save('x.npy', x)",
        "mx.save_safetensors('x.safetensors', {'x': x})",
        "not l",
        "1 if l else 2",
        "(l, l > 1 and 1)",
    ];
    let lazy = [
        "list(x)",
        "len(x)",
        "sum(x)",
        "abs(l)",
        "1 < l",
        "l == 1",
        "x[l]",
        "{'a': 1}.get('a')",
        "mx.array([l, l])",
        "mx.allclose(x, x)",
        "l is None",
        "3 in [1, 2]",
        "range(x.size)",
        "names[x.ndim]",
        "'%s' % x.ndim",
        "max(x.shape)",
        "np.zeros(x.shape)",
        "l % 2",
    ];
    let header = "import math\nimport pickle\n\nimport mlx.core as mx\nimport numpy as np\n";
    let function = |form: &str| {
        format!(
            "\n\n@mx.compile\ndef f(x: mx.array):\n    names = ('a', 'b', 'c')\n    l = mx.sum(x).astype(mx.int32)\n    v = {form}\n    return x * 2\n"
        )
    };
    let mut program = header.to_owned();
    for (form, raises) in asks.iter().map(|f| (f, true)).chain(lazy.iter().map(|f| (f, false))) {
        let advice = found("eval-in-compiled", &format!("{header}{}", function(form)), Target::Metal);
        assert_eq!(advice.len(), usize::from(raises), "{form}: {advice:#?}");
        let wanted = if raises { "True" } else { "False" };
        program += &format!(
            "{}\n\ntry:\n    f(mx.ones(2))\n    raised = False\nexcept (RuntimeError, ValueError) as error:\n    raised = 'eval' in str(error)\n",
            function(form)
        );
        program += &format!("assert raised is {wanted}, {form:?}\n");
    }
    holds(&program);
}

#[test]
fn a_block_in_each_round_holds_the_evaluations_and_not_the_reader() {
    let of = |begin: &str, around: &str, outside: &str| {
        format!(
            "import mlx.core as mx\n\n\ndef tokens(model, y, stream, limit):\n    def step(y):\n        with mx.stream(stream):\n            \
             return mx.argmax(model(y), axis=-1)[None]\n\n    with mx.stream(stream):\n        y = step(y)\n        mx.async_eval(y)\n{begin}{around}{outside}"
        )
    };
    let whole = of(
        "",
        "        for _ in range(limit):\n            next_y = step(y)\n            mx.async_eval(next_y)\n",
        "            yield y.item(), next_y\n            y = next_y\n",
    );
    let in_rounds = of(
        "    for _ in range(limit):\n",
        "        with mx.stream(stream):\n            next_y = step(y)\n            mx.async_eval(next_y)\n            token = y.item()\n",
        "        yield token, next_y\n        y = next_y\n",
    );
    let ended = of(
        "    for _ in range(limit):\n",
        "        next_y = step(y)\n        mx.async_eval(next_y)\n",
        "        yield y.item(), next_y\n        y = next_y\n",
    );
    // The stream that each evaluation uses, and the one that the reader is left with.
    let run = |expected: &str| {
        format!(
            "\n\ndevice = mx.default_device()\nusual, stream = mx.default_stream(device), mx.new_stream(device)\nasynchronous, used, left = mx.async_eval, [], []\n\n\n\
             def recorded(*arrays):\n    used.append(mx.default_stream(device))\n    asynchronous(*arrays)\n\n\nmx.async_eval = recorded\n\
             read = []\nfor token, _ in tokens(lambda y: (y[0] * 7 + mx.arange(5)) % 6, mx.array([3]), stream, 4):\n    \
             read.append(token)\n    left.append(mx.default_stream(device))\nassert read == [2, 3, 2, 3], read\n{expected}\n"
        )
    };
    holds(&format!("{whole}{}", run("assert set(map(str, used)) == set(map(str, left)) == {str(stream)}")));
    holds(&format!("{in_rounds}{}", run("assert all(s == stream for s in used) and all(s == usual for s in left)")));
    // Why it must not end where the loop begins.
    holds(&format!("{ended}{}", run("assert used[0] == stream and all(s == usual for s in used[1:] + left)")));
    let [advice] = &found("separate-stream", &whole, Target::Metal)[..] else { panic!("{whole}") };
    let told = &advice.rationale[1];
    assert!(told.contains("what evaluates it, `mx.async_eval(next_y)` and `y.item()`, and leave the `yield` alone outside"), "{told}");
    assert!(found("separate-stream", &in_rounds, Target::Metal).is_empty());
}
