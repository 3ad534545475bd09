// The width of the pen is a twelfth of the pad: after shrinking, that of strokes in MNIST.
const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
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
canvas.addEventListener("drop", (event) => {
    const input = element.closest("#pad-side").querySelector("input[type=file]");
    const file = event.dataTransfer?.files[0];
    event.preventDefault();
    if (!file) return;
    const one = new DataTransfer();
    one.items.add(file);
    input.files = one.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
});
// A picture that was opened comes back as the model sees it, light ink on dark paper, and may be drawn on.
watch("value", async () => {
    if (!props.value) return;
    const picture = new Image();
    picture.src = props.value;
    await picture.decode();
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height), values = pixels.data;
    for (let place = 0; place < values.length; place += 4) values.set([0, 0, 0, values[place]], place);
    pen.putImageData(pixels, 0, 0);
});
