"""Write the seeds of the fuzz targets below fuzz/corpus: each definition of the examples as a program of its own, the transforms, and configurations.

libFuzzer changes small inputs faster than large ones, which is why files are taken apart. Without a seed it starts from inputs of a few bytes, and takes hours to
come to the hundreds of choices of which a program is drawn: those get bytes without order.
"""

import ast
import hashlib
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CONFIGURATIONS = [
    'select = ["all"]\nignore = ["addmm"]\nunsafe = true\n',
    '[tool.mlxfix]\nextend = "../mlxfix.toml"\nextend-select = ["rms-norm"]\nexclude = ["gen/*"]\n',
    'rules = ["rules/own.py"]\nnarrow = false\nrespect-gitignore = false\noutput-format = "json"\nextend-exclude = ["a", "!b"]\n',
]


def write(target: str, content: bytes) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def pieces(text: str):
    """Each function and class of a file, after the file's other statements."""
    lines = text.splitlines(keepends=True)
    heads, definitions = [], []
    for node in ast.parse(text).body:
        first = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", [])])
        part = "".join(lines[first - 1 : node.end_lineno])
        (definitions if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else heads).append(part)
    for definition in definitions:
        yield "".join(heads) + "\n\n" + definition


for file in sorted((ROOT / "examples").rglob("*.py")):
    if file.name != "arguments.py":
        for piece in pieces(file.read_text()):
            write("bytes", piece.encode())
for coding, bom in [("latin-1", b""), ("utf-8", b"\xef\xbb\xbf"), ("shift_jis", b""), ("ascii", b"")]:
    text = f"# coding: {coding}\nimport mlx.core as mx\r\n\r\ndef f(a, b, c: mx.array):\r\n\treturn mx.matmul(a, b) + c"
    write("bytes", bom + text.encode())
for file in sorted((ROOT / "transforms").glob("*.py")):
    write("rules", file.read_bytes())
for configuration in CONFIGURATIONS:
    write("rules", configuration.encode())
draw = random.Random(1)
for length in range(20, 420, 2):
    write("programs", draw.randbytes(length))
