"""The pad of the digits tab: one digit drawn with mouse or finger, and all ten in that handwriting."""

import html
from typing import Any

import gradio as gr
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.studio.digit_markup import png, row
from cinn_app.studio.digit_pictures import read_pad
from cinn_app.systems.digits.generator import DigitGenerator, Restyled

__all__ = ["DigitPad"]

HEADING = '<h2 id="own-hand-heading">In your own hand <small>draw one digit, get all ten</small></h2>'
CANVAS = """
<canvas width="280" height="280" role="img" aria-label="A pad to draw a digit on"></canvas>
<button class="clear" type="button">Clear</button>
"""
# The width of the pen is a twelfth of the pad: once the digit is shrunk, as wide as strokes in MNIST.
DRAWING = """
const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d");
Object.assign(pen, { lineWidth: 23, lineCap: "round", lineJoin: "round" });
let last = null;
const lineTo = (event) => {
    const box = canvas.getBoundingClientRect();
    const place = [(event.clientX - box.left) * canvas.width / box.width,
                   (event.clientY - box.top) * canvas.height / box.height];
    pen.beginPath();
    pen.moveTo(...(last ?? place));
    pen.lineTo(place[0] + 0.01, place[1]);  // a touch without a move leaves a dot, too
    pen.stroke();
    last = place;
};
const lift = () => {
    if (!last) return;
    last = null;
    props.value = canvas.toDataURL();
    trigger("input");
};
canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    lineTo(event);
});
canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const missed = event.getCoalescedEvents?.() ?? [];
    (missed.length ? missed : [event]).forEach(lineTo);
});
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
element.querySelector(".clear").addEventListener("click", () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    props.value = null;
    trigger("input");
});
"""
INVITATION = "Draw one digit, large and in the middle: mouse, pen or finger."
GUESS = "guess"


class DigitPad:
    """Lays the pad out in the page that is being built, and answers what visitors draw.

    Args:
        generator: shared by all visitors, and never changed.
        queued: how its events are queued.
    """

    def __init__(self, generator: DigitGenerator, queued: dict[str, Any]) -> None:
        self.generator = generator
        gr.HTML(HEADING)
        with gr.Row(elem_id="own-hand", equal_height=False):
            self.pad = gr.HTML(
                None, html_template=CANVAS, js_on_load=DRAWING, scale=0, min_width=282, elem_id="pad", padding=False
            )
            with gr.Column(min_width=300):
                self.label = gr.Radio(
                    [("guess it", GUESS), *((str(digit), digit) for digit in range(10))],
                    value=GUESS,
                    label="The digit you have drawn",
                    elem_id="drawn-label",
                    elem_classes="chips",
                )
                self.written = gr.HTML(_notice(INVITATION), elem_id="written")
        for event in (self.pad.input, self.label.input):
            event(self._write, [self.pad, self.label], self.written, show_progress="hidden", **queued)

    def _write(self, drawing: str | None, label: int | str) -> str:
        try:
            image = read_pad(drawing)
            restyled = self.generator.restyle(image, None if label == GUESS else int(label))
        except CinnError as error:
            return _notice(html.escape(str(error)))
        captions = [f"<b>{digit}</b>" if digit == restyled.label else str(digit) for digit in range(10)]
        return _reading(image, restyled) + row(restyled.images, captions)


def _reading(image: Tensor, restyled: Restyled) -> str:
    """Show what the model saw and took it for."""
    label = restyled.label
    (first, second), (most, next_most) = (values.tolist() for values in reversed(restyled.probabilities.topk(2)))
    runner_up = f"next would be {_with_article(second)}, {_percent(next_most)}"
    if restyled.doubtful:  # the model knows nothing but digits, so how sure it is says nothing
        told = f"<b>Taken for {_with_article(label)}</b>, but it hardly looks like one. Draw one digit alone, clearly."
    elif first == label:
        told = f"<b>Read as {_with_article(label)}</b>, {_percent(most)} sure; {runner_up}."
    else:
        told = (
            f"<b>Taken for {_with_article(label)}</b>, as you say. "
            f"Alone it reads {_with_article(first)}, {_percent(most)} sure; {runner_up}."
        )
    seen = f'<img class="seen" src="{png(image)}" alt="The drawing as the model sees it" title="28 x 28 pixels">'
    return f'<div class="reading">{seen}<p>{told}<br><small>On the left, what the model saw.</small></p></div>'


def _with_article(digit: int) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


def _percent(share: float) -> str:
    """Round to tenths, and never to what would be certain or impossible."""
    bound = "over" if share > 0.999 else "under" if share < 0.001 else ""
    return f"{bound} {100 * min(max(share, 0.001), 0.999):.1f}\N{NO-BREAK SPACE}%".strip()


def _notice(sentence: str) -> str:
    return f'<p class="notice">{sentence}</p>'
