"""Loops that ask an array for one element after the other. Each asks once, with `.tolist()`."""

import mlx.core as mx


def decode(tokens: mx.array, vocabulary: dict):
    """A loop over the elements."""
    words = []
    for token in tokens.flatten():
        words.append(vocabulary[token.item()])
    return words


def listed(scores: mx.array):
    """A comprehension does the same."""
    return [score.item() for score in mx.sort(scores.reshape(-1))]


def as_numbers(probabilities: mx.array):
    """`float` and `int` read an element too."""
    total = 0.0
    for p in probabilities.flatten():
        total += float(p)
    return total


def by_index(labels: mx.array):
    """Each index is an operation and a wait of its own."""
    labels = labels.flatten()
    counts = {}
    for i in range(len(labels)):
        counts[labels[i].item()] = i
    return counts


def numbered(tokens: mx.array):
    """The loop counts as it goes."""
    positions = {}
    for position, token in enumerate(mx.argmax(tokens, axis=-1).flatten()):
        positions[int(token)] = position
    return positions


def read_twice(lengths: mx.array):
    """Two waits for each element."""
    flat = mx.flatten(lengths)
    return {n.item(): list(range(n.item())) for n in flat}


def rank_not_visible(tokens: mx.array):
    """Nothing shows that the array has one axis."""
    text = ""
    for token in tokens:
        text += chr(token.item())
    return text


def corners(boxes: mx.array):
    """Two columns of each row, under one pair of brackets."""
    pairs = []
    for i in range(len(boxes)):
        pairs.append((boxes[i, 0].item(), boxes[i, 1].item()))
    return pairs


def beside_others(names: list, scores: mx.array):
    """The index counts through something else."""
    best = {}
    for i, name in enumerate(names):
        best[name] = scores[i].item()
    return best


def its_own_number(tokens: mx.array, eos: int):
    """The name of the element becomes that of its number."""
    kept = []
    for token in tokens:
        token = token.item()
        if token == eos:
            break
        kept.append(token)
    return kept


def patches(grids: mx.array, merge: int):
    """The numbers are read after a row is unpacked."""
    grids = grids.reshape(-1, 2)
    lengths = []
    for i in range(len(grids)):
        h, w = grids[i]
        lengths.append(int(h) * int(w) // merge)
    return lengths


def sizes(shapes: mx.array):
    """A whole row is read in each round."""
    out = []
    for shape in shapes:
        height, width = shape.tolist()
        out.append(height * width)
    return out


def table(scores: mx.array):
    """Rows and columns: first a list of each row, then one of all."""
    scores = scores.reshape(2, -1)
    lines = []
    for i in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            lines.append(f"{i} {j} {float(scores[i, j]):.3f}")
    return lines


def evaluated_first(steps: mx.array):
    """An evaluation of each element waits as well."""
    out = []
    for step in steps.flatten():
        mx.eval(step)
        out.append(step.item())
    return out


def in_two_loops(mask: mx.array, rows):
    """Both loops read one list, made before the first."""
    short = []
    for i in range(len(mask)):
        if not mask[i].item():
            short.append(rows[i])
    for i in range(len(mask)):
        if mask[i].item():
            short.append(rows[i][:2])
    return short


def one_column(boxes: mx.array, limit: int):
    """A column is a list of numbers."""
    kept = []
    for i in range(boxes.shape[0]):
        if boxes[i, 0].item() < limit:
            kept.append(i)
    return kept


def named_columns(grids: mx.array):
    """What names are given column by column is a row."""
    areas = []
    for i in range(len(grids)):
        t, h, w = int(grids[i, 0]), int(grids[i, 1]), int(grids[i, 2])
        areas.append(t * h * w)
    return areas


def padded(mask: mx.array, lengths: mx.array):
    """The subscript of what is written into is evaluated in every round."""
    for row, length in enumerate(lengths):
        mask[row, : int(length)] = True
    return mask


def chunks(data: mx.array, lengths: mx.array):
    """The loop variable becomes its own number, which is an integer already."""
    found, start = [], 0
    for n in lengths.astype(mx.int32):
        n = int(n)
        found.append(data[start : start + n].sum())
        start += n
    return found


def grids(images: list, grid: mx.array):
    """Several names become their own numbers at once."""
    found = []
    for image, (h, w) in zip(images, grid):
        h, w = int(h.item()), int(w.item())
        found.append(image[: h * w].reshape(h, w))
    return found


def gathered(rows: mx.array, positions: mx.array):
    """Each element that is read has one number, however many axes there are."""
    found = []
    for row in range(positions.shape[0]):
        for at in range(positions.shape[1]):
            found.append(rows[row, int(positions[row, at].item())])
    return found
