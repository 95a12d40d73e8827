"""A small classifier with its training loop: a norm and a layer written out, and metrics read one element at a time."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class LayerNorm(nn.Module):
    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.bias = mx.zeros((dims,))
        self.eps = eps

    def __call__(self, x):
        mean = x.mean(axis=-1, keepdims=True)
        variance = mx.mean(mx.square(x - mean), axis=-1, keepdims=True)
        return (x - mean) * mx.rsqrt(variance + self.eps) * self.weight + self.bias


class Classifier(nn.Module):
    def __init__(self, inputs: int, hidden: int, classes: int):
        super().__init__()
        self.w1 = 0.1 * mx.random.normal((inputs, hidden))
        self.b1 = mx.zeros((hidden,))
        self.norm = LayerNorm(hidden)
        self.head = nn.Linear(hidden, classes)

    def __call__(self, x: mx.array):
        h = x @ self.w1 + self.b1
        return self.head(nn.gelu(self.norm(h)))


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def accuracy_per_class(model, x: mx.array, y: mx.array, classes: int):
    """How often each class was recognised, counted in Python."""
    predictions = mx.argmax(model(x), axis=-1).flatten()
    labels = y.tolist()
    right = [0] * classes
    for i, prediction in enumerate(predictions):
        # One wait for the device per prediction.
        if prediction.item() == labels[i]:
            right[labels[i]] += 1
    return right


def main():
    """The losses of every step, the trained weights and the confidence of the model in half precision."""
    mx.random.seed(1)
    model = Classifier(8, 16, 3)
    optimizer = optim.SGD(learning_rate=0.1)
    x = mx.random.normal((48, 8))
    y = mx.argmax(x[:, :3], axis=-1)
    step = nn.value_and_grad(model, partial(loss_fn, model))
    losses = []
    for begin in range(0, 48, 12):
        loss, grads = step(x[begin : begin + 12], y[begin : begin + 12])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss)
    logits = model(x).astype(mx.float16)
    confidence = mx.softmax(logits.astype(mx.float32), axis=-1).astype(logits.dtype)
    return mx.stack(losses), model.w1, confidence, accuracy_per_class(model, x, y, 3)


if __name__ == "__main__":
    print(main())
