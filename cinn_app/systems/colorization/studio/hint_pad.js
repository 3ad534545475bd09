// The pad of hint_pad.py. gradio defines: element, props, trigger, watch.
// `drawn` is never changed in place: each change creates a new value, and the old one goes to `past`.
const one = (selector) => element.querySelector(selector);
const board = one(".board"), picture = one(".picture"), lines = one("svg"), marks = one(".marks");
const cursor = one(".cursor"), colour = one(".colour"), hex = one(".hex"), brush = one(".brush");
const NOTHING = { hints: [], keep: [] };
const SVG = "http://www.w3.org/2000/svg";
let scene = null, drawn = NOTHING, past = [], future = [];
let mode = "hint", chosen = null, stroke = null, moving = null, picking = false, pointer = null;

const side = () => Math.max(scene.width, scene.height);
const within = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
const inside = ([x, y]) => [within(x, scene.width), within(y, scene.height)];
// The pixel of the photograph under the pointer, whatever size the picture has on the screen.
const place = (event) => {
    const box = picture.getBoundingClientRect();
    return inside([(event.clientX - box.left) / box.width * scene.width,
                   (event.clientY - box.top) / box.height * scene.height]);
};
const radius = () => Math.round(side() * (mode === "keep" ? brush.value / 100 : 0.004));
// A mask, which only a file can have, has its mark at its first pixel and cannot be moved.
const anchor = (hint) => hint.points?.[0] ?? [hint.runs[0][0] % scene.width, Math.floor(hint.runs[0][0] / scene.width)];
const moved = (hint, [right, down]) => hint.points
    ? { ...hint, points: hint.points.map(([x, y]) => inside([x + right, y + down])) } : hint;

const line = (points, radius, colour) => {
    const drawing = document.createElementNS(SVG, "polyline");
    const spots = points.length > 1 ? points : [points[0], points[0]];
    drawing.setAttribute("points", spots.map(([x, y]) => `${x + 0.5},${y + 0.5}`).join(" "));
    drawing.setAttribute("stroke-width", Math.max(2 * radius, side() / 250));
    if (colour) drawing.setAttribute("stroke", colour);
    drawing.classList.add(colour ? "wanted" : "kept");
    return drawing;
};
const mark = (hint, number) => {
    const button = document.createElement("button"), [x, y] = anchor(hint);
    button.type = "button";
    button.dataset.number = number;
    button.style.cssText = `left: ${(x + 0.5) / scene.width * 100}%; top: ${(y + 0.5) / scene.height * 100}%;
        background: ${hint.colour}`;
    button.setAttribute("aria-label", `${number + 1}: ${hint.colour}, ${x}, ${y}`);
    button.setAttribute("aria-pressed", number === chosen);
    button.title = hint.colour;
    return button;
};
const show = () => {
    if (!scene) return;
    const hints = moving ? drawn.hints.map((hint, number) => number === moving.number ? moved(hint, moving.by) : hint)
        : drawn.hints;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset?.number : undefined;
    const strokes = hints.filter((hint) => hint.points?.length > 1);
    lines.setAttribute("viewBox", `0 0 ${scene.width} ${scene.height}`);
    lines.replaceChildren(...drawn.keep.map((kept) => line(kept.points, kept.radius)),
        ...strokes.map((hint) => line(hint.points, hint.radius ?? 0, hint.colour)),
        ...(stroke ? [line(stroke, radius(), mode === "keep" ? null : colour.value)] : []));
    marks.replaceChildren(...hints.map(mark));
    if (focused !== undefined) marks.children[focused]?.focus({ preventScroll: true });
    one(".undo").disabled = !past.length;
    one(".redo").disabled = !future.length;
    one(".remove").disabled = chosen === null;
    one(".clear").disabled = !drawn.hints.length && !drawn.keep.length;
    one(".redraw").disabled = !drawn.keep.length;
};
const send = () => {
    props.value = drawn;
    trigger("input");
};
const change = (next) => {
    past.push(drawn);
    future = [];
    drawn = next;
    if (chosen !== null && chosen >= drawn.hints.length) chosen = null;
    show();
    send();
};
const step = (from, to) => {
    if (!from.length) return;
    to.push(drawn);
    drawn = from.pop();
    chosen = null;
    show();
    send();
};
const undo = () => step(past, future), redo = () => step(future, past);
const add = (points) => change(mode === "keep"
    ? { ...drawn, keep: [...drawn.keep, { points, radius: radius() }] }
    : { ...drawn, hints: [...drawn.hints, { colour: colour.value, points, radius: radius() }] });
const replace = (number, hint) => change({ ...drawn, hints: drawn.hints.with(number, hint) });
const remove = () => {
    if (chosen === null) return;
    const hints = drawn.hints.toSpliced(chosen, 1);
    chosen = null;
    change({ ...drawn, hints });
};
const choose = (number) => {
    chosen = number;
    if (number !== null) colour.value = hex.value = drawn.hints[number].colour.toLowerCase();
    show();
};
const setColour = (value) => {
    colour.value = hex.value = value.toLowerCase();
    hex.removeAttribute("aria-invalid");
    if (chosen !== null && drawn.hints[chosen].colour !== colour.value)
        replace(chosen, { ...drawn.hints[chosen], colour: colour.value });
};
const setMode = (name) => {
    mode = name;
    chosen = null;
    board.dataset.mode = name;
    element.querySelectorAll("[data-mode][role=radio]").forEach((button) => {
        button.setAttribute("aria-checked", button.dataset.mode === name);
        button.tabIndex = button.dataset.mode === name ? 0 : -1;
    });
    element.querySelectorAll(".hint-tools").forEach((tool) => { tool.hidden = name !== "hint"; });
    element.querySelectorAll(".keep-tools").forEach((tool) => { tool.hidden = name !== "keep"; });
    show();
};

// The eyedropper of the browser, or else the next click on the picture picks the colour there.
const pick = async () => {
    try {
        if (window.EyeDropper) return setColour((await new EyeDropper().open()).sRGBHex);
    } catch (error) {
        if (error.name === "AbortError") return;
    }
    picking = true;
    board.classList.add("picking");
};
const pickAt = ([x, y]) => {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    pen.drawImage(picture, 0, 0);
    const spot = [(x + 0.5) / scene.width * canvas.width, (y + 0.5) / scene.height * canvas.height].map(Math.floor);
    const rgb = [...pen.getImageData(...spot, 1, 1).data.slice(0, 3)];
    stopPicking();
    setColour("#" + rgb.map((channel) => channel.toString(16).padStart(2, "0")).join(""));
};
const stopPicking = () => {
    picking = false;
    board.classList.remove("picking");
};

board.addEventListener("pointerdown", (event) => {
    if (!scene || !event.isPrimary || event.button) return;
    event.preventDefault();
    const here = place(event), number = event.target.dataset.number;
    cursor.hidden = true;
    if (picking) return pickAt(here);
    board.setPointerCapture(event.pointerId);
    (event.target.closest(".marks button") ?? board).focus({ preventScroll: true });
    if (number === undefined) stroke = [here];
    else moving = { number: Number(number), from: here, by: [0, 0] };
    show();
});
board.addEventListener("pointermove", (event) => {
    if (!event.isPrimary || !(stroke || moving)) return;
    const here = place(event);
    if (moving) moving.by = [here[0] - moving.from[0], here[1] - moving.from[1]];
    else if (Math.hypot(here[0] - stroke.at(-1)[0], here[1] - stroke.at(-1)[1]) > side() / 100) stroke.push(here);
    show();
});
board.addEventListener("pointerup", () => {
    const points = stroke, { number, by } = moving ?? {};
    stroke = moving = null;
    if (points) {
        chosen = null;
        add(points);
    } else if (by?.some(Boolean) && drawn.hints[number].points) {
        replace(number, moved(drawn.hints[number], by));
    } else if (number !== undefined) {
        choose(number === chosen ? null : number);
    }
});
board.addEventListener("pointercancel", () => {
    stroke = moving = null;
    show();
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const point = (at) => {
    pointer = inside(at);
    cursor.hidden = false;
    cursor.style.cssText = `left: ${(pointer[0] + 0.5) / scene.width * 100}%;
        top: ${(pointer[1] + 0.5) / scene.height * 100}%`;
};
board.addEventListener("keydown", (event) => {
    const number = event.target.dataset.number, arrow = ARROWS[event.key];
    const far = event.shiftKey ? side() / 20 : side() / 100;
    if (!scene || event.ctrlKey || event.metaKey) return;
    if (arrow && number !== undefined) {
        moving ??= { number: Number(number), by: [0, 0] };
        moving.by = moving.by.map((distance, axis) => distance + Math.round(arrow[axis] * Math.max(far, 1)));
        show();
    } else if (arrow) {
        point((pointer ?? [scene.width / 2, scene.height / 2]).map((at, axis) => at + arrow[axis] * Math.max(far, 1)));
    } else if (number !== undefined && (event.key === "Delete" || event.key === "Backspace")) {
        chosen = Number(number);
        remove();
        board.focus({ preventScroll: true });
    } else if (number !== undefined && (event.key === "Enter" || event.key === " ")) {
        choose(Number(number) === chosen ? null : Number(number));
    } else if (event.key === "Enter" || event.key === " ") {
        if (pointer && !cursor.hidden) picking ? pickAt(pointer) : add([pointer]);
        else point([scene.width / 2, scene.height / 2]);
    } else if (event.key === "Escape") {
        stopPicking();
        choose(null);
    } else return;
    event.preventDefault();
});
board.addEventListener("keyup", (event) => {
    if (!ARROWS[event.key] || !moving || moving.from) return;
    const { number, by } = moving;
    moving = null;
    replace(number, moved(drawn.hints[number], by));
});
element.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target === hex) return;
    const key = event.key.toLowerCase();
    if (key === "z") event.shiftKey ? redo() : undo();
    else if (key === "y") redo();
    else return;
    event.preventDefault();
});

element.querySelectorAll("[data-mode][role=radio]").forEach((button) => {
    button.addEventListener("click", () => setMode(button.dataset.mode));
    button.addEventListener("keydown", (event) => {
        if (!ARROWS[event.key]) return;
        event.preventDefault();
        setMode(mode === "hint" ? "keep" : "hint");
        one("[data-mode][aria-checked=true]").focus();
    });
});
colour.addEventListener("input", () => { hex.value = colour.value; });
colour.addEventListener("change", () => setColour(colour.value));
hex.addEventListener("change", () => {
    const [, digits] = hex.value.trim().match(/^#?([0-9a-f]{6}|[0-9a-f]{3})$/i) ?? [];
    hex.setAttribute("aria-invalid", !digits);
    if (digits) setColour("#" + (digits.length === 6 ? digits : digits.replace(/./g, "$&$&")));
});
one(".dropper").addEventListener("click", pick);
one(".undo").addEventListener("click", undo);
one(".redo").addEventListener("click", redo);
one(".remove").addEventListener("click", remove);
one(".clear").addEventListener("click", () => { chosen = null; change(NOTHING); });
one(".redraw").addEventListener("click", () => trigger("redraw"));
// One of these may cover the picture: the original photograph, or the map of where the four differ.
const showOver = (wanted) => {
    for (const button of element.querySelectorAll(".shows")) {
        const name = button.dataset.over, shown = wanted === name, over = one(".over." + name);
        button.setAttribute("aria-pressed", shown);
        if (scene?.[name]) over.src = scene[name].url;
        over.hidden = !shown || !scene?.[name];
    }
    one(".differing").hidden = wanted !== "map";
};
const shownOver = () => one(".shows[aria-pressed=true]")?.dataset.over;
for (const button of element.querySelectorAll(".shows"))
    button.addEventListener("click", () => showOver(shownOver() === button.dataset.over ? null : button.dataset.over));

// The server sends another picture of the same photograph, another photograph, or hints from a file.
const receive = () => {
    const next = props.scene, value = props.value?.hints ? props.value : NOTHING;
    if (!next) return;
    if (next.photograph !== scene?.photograph) {
        // `value` may still be the drawing on the last photograph, since scene and value arrive one after the other. So
        // the scene has the drawing on its own photograph.
        drawn = scene ? next.drawn ?? NOTHING : value;
        [past, future, chosen, stroke, moving, pointer] = [[], [], null, null, null, null];
        cursor.hidden = true;
    } else if (JSON.stringify(value) !== JSON.stringify(drawn)) {
        past.push(drawn);
        [drawn, future, chosen] = [value, [], null];
    }
    // A preview comes without a map; the old one stays until the others are drawn.
    scene = next.photograph === scene?.photograph ? { ...next, map: next.map ?? scene.map } : next;
    board.style.setProperty("--ratio", scene.width / scene.height);
    picture.src = scene.picture.url;
    showOver(shownOver());
    show();
};
watch(["scene", "value"], receive);
setMode("hint");
receive();
