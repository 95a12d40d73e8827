"""Loops that wait for each token before they ask for the next."""

import mlx.core as mx


def _sample(logits, temperature):
    """Draw a token."""
    if temperature == 0:
        return mx.argmax(logits, axis=-1)
    return mx.random.categorical(logits * (1 / temperature))


def greedy(model, tokens, end):
    """The number decides whether to go on, and the next step could run meanwhile."""
    y = mx.array(tokens)
    while True:
        y = mx.argmax(model(y[None])[:, -1], axis=-1)
        token = y.item()
        if token == end:
            break
        tokens.append(token)
    return tokens


def compared(model, y, end, limit):
    """The array itself is compared, which waits for it like a read."""
    tokens = y
    for _ in range(limit):
        y = mx.argmax(model(y[None])[:, -1], axis=-1)
        if y == end:
            break
        tokens = mx.concatenate([tokens, y])
    return tokens


def streamed(model, y, cache, temperature):
    """A generator of numbers."""
    while True:
        logits = model(y[None], cache=cache)
        y = _sample(logits[:, -1, :], temperature)
        yield y.item()


def handed_out(model, y, cache, temperature):
    """A generator of arrays that are not even started."""
    while True:
        logits = model(y[:, None], cache=cache)
        y = _sample(logits[:, -1, :], temperature)
        yield y


class Generator:
    """The sampler is given."""

    def __init__(self, model, sampler):
        self.model = model
        self.sampler = sampler

    def run(self, tokens, limit):
        """Tokens are collected as numbers."""
        y = mx.array(tokens)
        found = []
        for _ in range(limit):
            y = self.sampler(self.model(y[None])[:, -1])
            found.append(y.item())
        return found


def number_by_itself(model, tokens, end, limit):
    """The token is a number from the start, which the next round makes an array of again."""
    cache = None
    for _ in range(limit):
        logits, cache = model(tokens, cache)
        next_token = int(mx.argmax(logits[:, -1], axis=-1).item())
        if next_token == end:
            break
        tokens = mx.concatenate([tokens, mx.array([[next_token]])], axis=-1)
    return tokens


def evaluated(model, y, temperature, limit):
    """An evaluation waits as well, and nothing is read."""
    for _ in range(limit):
        logits = model(y)
        y = _sample(logits, temperature)
        mx.eval(y)
    return y


def codebooks(model, text, codes, steps, top_k):
    """Each round fills a buffer, which only the end reads."""
    for n in range(steps):
        logits = model(codes[:, n : n + 1], text)
        drawn = mx.random.categorical(logits)
        codes[:, n + 1 : n + 2] = drawn
        mx.eval(codes)
    return codes


def state_evaluated(model, hidden, end, limit):
    """The number is read, and what the next step starts from is evaluated as well."""
    found = []
    for _ in range(limit):
        token = int(mx.argmax(model.head(hidden)[:, -1]).item())
        if token == end:
            break
        found.append(token)
        hidden = model(mx.array([[token]]))
        mx.eval(hidden)
    return found


def states_kept(model, sampler, x, end, limit):
    """What each step computed on its way is read after the loop."""
    states = []
    for _ in range(limit):
        hidden = model(x)
        states.append(hidden[:, -1:])
        y = sampler(model.head(hidden))
        if y.item() == end:
            break
        x = model.embed(y)
    return mx.concatenate(states, axis=1)


def asked_now_and_then(model, y, end, limit):
    """Few rounds ask whether all rows are at their end."""
    finished = y == end
    rows = [y]
    for n in range(limit):
        if n % 16 == 15 and mx.all(finished).item():
            break
        y = mx.argmax(model(mx.where(finished, end, y)), axis=-1)
        rows.append(y)
        finished = finished | (y == end)
        mx.eval(y, finished)
    return mx.stack(rows)


def grown(model, x, end, limit):
    """The sample on which the loop ends is in what follows it."""
    for _ in range(limit):
        y = mx.argmax(model(x)[:, -1:], axis=-1)
        if y.item() == end:
            break
        x = mx.concatenate([x, y], axis=1)
    return x


def of_fixed_length(model, y, limit):
    """No sample ends the loop, so that the last round asks for nothing."""
    tokens = []
    for _ in range(limit):
        y = mx.argmax(model(y), axis=-1)
        tokens.append(y.item())
    return tokens


def sampled(model, y, end, temperature):
    """The step that nobody reads draws as well."""
    while True:
        y = mx.random.categorical(model(y)[:, -1] / temperature)
        if y.item() == end:
            return
        print(y)
