// The observation as sliders, or as a point in a plane. The value is the list of its numbers; the page moves what
// shows it before the server has answered.
const bounded = (value, low, high) => Math.min(Math.max(value, low), high);
const written = (value) => (Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3))))
    .replace("-", "\u2212");
const send = (numbers) => {
    props.value = numbers;
    trigger("input");
};
const point = () => element.querySelector(".field");
const ends = () => ["x0", "x1", "y0", "y1"].map((end) => Number(point().dataset[end]));
const go = (x, y) => {
    const [x0, x1, y0, y1] = ends(), place = [bounded(x, x0, x1), bounded(y, y0, y1)];
    const mark = element.querySelector(".point");
    mark.style.left = `${100 * (place[0] - x0) / (x1 - x0)}%`;
    mark.style.bottom = `${100 * (place[1] - y0) / (y1 - y0)}%`;
    element.querySelectorAll(".values output").forEach((output, number) => {
        output.textContent = written(place[number]);
    });
    send(place);
};
const follow = (event) => {
    if (!event.target.closest(".field")) return;
    const { left, top, width, height } = point().getBoundingClientRect(), [x0, x1, y0, y1] = ends();
    go(x0 + (x1 - x0) * (event.clientX - left) / width, y1 - (y1 - y0) * (event.clientY - top) / height);
};
element.addEventListener("pointerdown", follow);
element.addEventListener("pointermove", (event) => event.buttons & 1 && follow(event));
element.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!moves || !event.target.closest(".field")) return;
    event.preventDefault();
    const [x0, x1, y0, y1] = ends(), [x, y] = props.value;
    go(x + moves[0] * (x1 - x0) / 50, y + moves[1] * (y1 - y0) / 50);
});
element.addEventListener("input", (event) => {
    const place = Number(event.target.dataset.place), value = Number(event.target.value);
    event.target.closest("label").querySelector("output").textContent = written(value);
    send(props.value.map((number, at) => (at === place ? value : number)));
});
// A slider that a visitor has moved ignores the attribute that a new observation sets.
watch("view", () => requestAnimationFrame(() => element.querySelectorAll("input").forEach((slider) => {
    slider.value = slider.getAttribute("value");
})));
// The model is loaded, and the first observation drawn, when the tab is seen.
if (!props.value) new IntersectionObserver(([entry], seen) => {
    if (!entry.isIntersecting) return;
    seen.disconnect();
    trigger("expand");
}).observe(element.closest("#inverse-tab"));
