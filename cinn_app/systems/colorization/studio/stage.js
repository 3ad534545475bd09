// The stage of stage.py: one picture to look at, to zoom, to compare and to point at. gradio defines: element, props,
// trigger, watch. `drawn` is never changed in place: each change creates a new value, and the old one goes to `past`.
const one = (selector) => element.querySelector(selector), all = (selector) => [...element.querySelectorAll(selector)];
const view = one(".view"), board = one(".board"), picture = one(".picture"), lines = one(".board svg"), marks = one(".marks");
const cursor = one(".cursor"), palette = one(".palette"), hex = one(".hex"), brush = one(".brush"), line = one(".line");
const anyColour = one("input[type=color]");
const NOTHING = { hints: [], keep: [] };
const SVG = "http://www.w3.org/2000/svg";
const HOLD = 300, SLACK = 6, MAX_ZOOM = 8;  // milliseconds; pixels of the screen; times
let scene = null, drawn = NOTHING, mode = "hint", over = null, before = false, picking = false;
let gesture = null, moving = null, wanted = null, pointer = null, zoom = { scale: 1, x: 0, y: 0 };
// Of each photograph: the states before and after the present one, {drawn, part, snapshot}. A state has the number of a
// snapshot once the server has drawn it. `part` says of which part of the picture its pixels are.
let cut = {};  // shares that are to be cut off
let states = {}, present = { drawn: NOTHING, part: null, snapshot: null }, restoring = null;

const side = () => Math.max(scene.width, scene.height);
const within = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
const inside = ([x, y]) => [within(x, scene.width), within(y, scene.height)];
// The pixel of the photograph under the pointer, whatever size the picture has on the screen.
const place = (event) => {
    const box = picture.getBoundingClientRect();
    return inside([(event.clientX - box.left) / box.width * scene.width,
                   (event.clientY - box.top) / box.height * scene.height]);
};
const percent = ([x, y]) => [(x + 0.5) / scene.width * 100, (y + 0.5) / scene.height * 100];
const radius = () => Math.round(side() * (mode === "keep" ? brush.value / 100 : 0.004));
// A mask, which only a file can have, has its mark at its first pixel and cannot be moved.
const anchor = (hint) => hint.points?.[0] ?? [hint.runs[0][0] % scene.width, Math.floor(hint.runs[0][0] / scene.width)];
const moved = (hint, [right, down]) => hint.points
    ? { ...hint, points: hint.points.map(([x, y]) => inside([x + right, y + down])) } : hint;

// --- Parts of the picture in the file, as the server has them: turned first, then cut ---

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
// First column and row of a part, and the size of the whole turned picture, [height, width].
const extent = ({ turns, cut }) => {
    const [height, width] = turns % 2 ? scene.whole.toReversed() : scene.whole;
    return { start: [Math.round(cut.left * width), Math.round(cut.top * height)], size: [height, width] };
};
const inWhole = ([x, y], part) => {
    let { start, size: [height, width] } = extent(part);
    [x, y] = [x + start[0], y + start[1]];
    for (let turn = 0; turn < part.turns; turn++) [x, y, height, width] = [y, width - 1 - x, width, height];
    return [x, y];
};
const inView = ([x, y]) => {
    let [height, width] = scene.whole;
    for (let turn = 0; turn < scene.part.turns; turn++) [x, y, height, width] = [height - 1 - y, x, width, height];
    const [left, top] = extent(scene.part).start;
    return [x - left, y - top];
};
// What is drawn in a state, on the part in view: hints, as far as they are on it.
const onView = ({ drawn, part }) => same(part, scene.part) ? drawn : { keep: [], hints: drawn.hints.flatMap((hint) => {
    const points = (hint.points ?? []).map((at) => inView(inWhole(at, part)))
        .filter(([x, y]) => x >= 0 && x < scene.width && y >= 0 && y < scene.height);
    return points.length ? [{ ...hint, points }] : [];
}) };

// --- What is shown ---

const polyline = (points, width, attributes) => {
    const drawing = document.createElementNS(SVG, "polyline");
    const spots = points.length > 1 ? points : [points[0], points[0]];
    drawing.setAttribute("points", spots.map(([x, y]) => `${x + 0.5},${y + 0.5}`).join(" "));
    drawing.setAttribute("stroke-width", width);
    for (const [name, value] of Object.entries(attributes)) drawing.setAttribute(name, value);
    return drawing;
};
// An outline, since a veil would hide the colours that are to stay: wide strokes, out of which the strokes are cut.
const outlined = (strokes) => {
    const mask = document.createElementNS(SVG, "mask"), everything = document.createElementNS(SVG, "rect");
    const rim = side() / 250;
    mask.id = "outside-of-kept";
    mask.setAttribute("maskUnits", "userSpaceOnUse");
    for (const [name, value] of Object.entries({ width: scene.width, height: scene.height, fill: "white" }))
        everything.setAttribute(name, value);
    mask.append(everything, ...strokes.map(({ points, radius }) => polyline(points, 2 * radius, { stroke: "black" })));
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("mask", "url(#outside-of-kept)");
    group.append(...["white", "black"].flatMap((stroke, inner) => strokes.map(
        ({ points, radius }) => polyline(points, 2 * radius + (inner ? 2 : 4) * rim, { stroke }))));
    return [mask, group];
};
const mark = (hint, number) => {
    const button = document.createElement("button"), [x, y] = anchor(hint), [left, top] = percent([x, y]);
    button.type = "button";
    button.dataset.number = number;
    button.style.cssText = `left: ${left}%; top: ${top}%; background: ${hint.colour}`;
    button.setAttribute("aria-label", `${number + 1}: ${hint.colour}, ${x}, ${y}`);
    button.setAttribute("aria-pressed", number === wanted?.number);
    button.title = hint.colour;
    return button;
};
const show = () => {
    if (!scene) return;
    const hints = moving ? drawn.hints.map((hint, number) => number === moving.number ? moved(hint, moving.by) : hint)
        : drawn.hints;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset?.number : undefined;
    const strokes = hints.filter((hint) => hint.points?.length > 1);
    const stroke = gesture?.kind === "stroke" ? gesture.points : wanted?.points?.length > 1 ? wanted.points : null;
    const kept = [...drawn.keep, ...(stroke && mode === "keep" ? [{ points: stroke, radius: radius() }] : [])];
    const width = (radius) => Math.max(2 * radius, side() / 250);
    lines.setAttribute("viewBox", `0 0 ${scene.width} ${scene.height}`);
    lines.replaceChildren(...(kept.length && mode === "keep" ? outlined(kept) : []),
        ...strokes.map((hint) => polyline(hint.points, width(hint.radius ?? 0), { stroke: hint.colour })),
        ...(stroke && mode === "hint" ? [polyline(stroke, width(radius()), { stroke: "white" })] : []));
    marks.replaceChildren(...hints.map(mark));
    if (focused !== undefined) marks.children[focused]?.focus({ preventScroll: true });
    const history = states[scene.photograph];
    one(".undo").disabled = !history.past.length;
    one(".redo").disabled = !history.future.length;
    one(".redraw").disabled = !drawn.keep.length;
    one(".clear").hidden = !drawn.hints.length;
    one(".release").hidden = !drawn.keep.length;
    one(".whole").hidden = !scene.cropped;
};
const showOver = () => {
    const split = over === "split" && !before, gray = one(".over.gray"), map = one(".over.map");
    gray.hidden = !before && !split;
    gray.style.clipPath = split ? `inset(0 calc(100% - ${line.ariaValueNow}%) 0 0)` : "";
    line.hidden = !split;
    line.style.left = `${line.ariaValueNow}%`;
    map.hidden = one(".legend").hidden = over !== "map" || before || !scene?.map;
    one(".badge.before").hidden = !before;
    marks.hidden = before;
    lines.style.display = before ? "none" : "";
    one(".hold").setAttribute("aria-pressed", before);
    for (const button of all("[data-over]")) button.setAttribute("aria-pressed", over === button.dataset.over);
};
const setBefore = (value) => {
    before = value && scene !== null;
    showOver();
};
const setOver = (name) => {
    over = name;
    showOver();
};
const ask = () => {
    const badge = one(".asks"), text = badge.dataset[picking ? "picking" : mode];
    badge.hidden = !text;
    badge.textContent = text ?? "";
};
const setMode = (name) => {
    mode = name;
    ask();
    cut = { n: 0, s: 0, w: 0, e: 0 };
    showCrop();
    closePalette();
    board.dataset.mode = name;
    for (const tools of all("[data-for]")) tools.hidden = tools.dataset.for !== name;
    show();
};
const setZoom = (scale, [left, top] = [0, 0]) => {
    scale = Math.min(Math.max(scale, 1), MAX_ZOOM);
    const box = view.getBoundingClientRect(), size = [board.offsetWidth, board.offsetHeight];
    const middle = [left - box.left - box.width / 2, top - box.top - box.height / 2];
    const factor = scale / zoom.scale, reach = size.map((length) => length * (scale - 1) / 2);
    const [x, y] = [zoom.x, zoom.y].map((shift, axis) => {
        const next = middle[axis] + (shift - middle[axis]) * factor;
        return Math.min(Math.max(next, -reach[axis]), reach[axis]);
    });
    zoom = { scale, x, y };
    board.style.transform = scale > 1 ? `translate(${x}px, ${y}px) scale(${scale})` : "";
    board.style.setProperty("--zoom", scale);
    board.classList.toggle("zoomed", scale > 1);
    one(".zoom-out").disabled = one(".fit").disabled = scale === 1;
    one(".zoom-in").disabled = scale === MAX_ZOOM;
    closePalette();
};
const pan = ([right, down]) => {
    zoom = { ...zoom, x: zoom.x + right, y: zoom.y + down };
    const box = view.getBoundingClientRect();
    setZoom(zoom.scale, [box.left + box.width / 2, box.top + box.height / 2]);
};
const zoomBy = (factor, at) => {
    const box = view.getBoundingClientRect();
    setZoom(zoom.scale * factor, at ?? [box.left + box.width / 2, box.top + box.height / 2]);
};

// --- Changes, undo and redo ---

// What is drawn, in pixels of which part of which photograph.
const drawing = () => ({ ...drawn, photograph: scene.photograph, part: scene.part });
const stated = (value) => [value?.hints ?? [], value?.keep ?? [], value?.photograph, value?.part];
const send = () => {
    props.value = drawing();
    trigger("input");
};
const change = (next) => {
    const history = states[scene.photograph];
    history.past.push(present);
    history.future = [];
    drawn = next;
    history.present = present = { drawn, part: scene.part, snapshot: null };
    restoring = null;
    show();
    send();
};
const step = (from, to) => {
    const history = states[scene.photograph];
    if (!history[from].length) return;
    closePalette();
    history[to].push(present);
    present = history[from].pop();
    drawn = onView(present);
    if (present.snapshot === null) present = { drawn, part: scene.part, snapshot: null };
    history.present = present;
    show();
    if (present.snapshot === null) return send();
    restoring = present.snapshot;
    props.value = { ...drawing(), snapshot: restoring };
    trigger("restore");
};
const undo = () => step("past", "future"), redo = () => step("future", "past");
const replace = (number, hint) => change({ ...drawn, hints: drawn.hints.with(number, hint) });
const remove = (number) => change({ ...drawn, hints: drawn.hints.toSpliced(number, 1) });

// --- The palette: the colour of what was pointed at ---

const openPalette = (next) => {
    wanted = next;
    const colour = next.number === undefined ? "" : drawn.hints[next.number].colour.toLowerCase();
    palette.hidden = false;
    hex.value = colour;
    hex.removeAttribute("aria-invalid");
    anyColour.value = colour || "#b0412e";
    one(".remove").hidden = next.number === undefined;
    for (const swatch of all("[data-colour]")) swatch.setAttribute("aria-pressed", swatch.dataset.colour === colour);
    const [x, y] = next.points?.at(-1) ?? anchor(drawn.hints[next.number]), box = picture.getBoundingClientRect();
    const frame = view.getBoundingClientRect(), gap = 18;
    const left = box.left - frame.left + (x + 0.5) / scene.width * box.width;
    const top = box.top - frame.top + (y + 0.5) / scene.height * box.height;
    const room = [frame.width - palette.offsetWidth, frame.height - palette.offsetHeight];
    const beside = left + gap <= room[0] ? left + gap : left - gap - palette.offsetWidth;
    palette.style.left = `${Math.max(0, Math.min(beside, room[0]))}px`;
    palette.style.top = `${Math.max(0, Math.min(top - palette.offsetHeight / 2, room[1]))}px`;
    if (next.points?.length === 1) point(next.points[0]);
    show();
    (one(".swatch[aria-pressed=true]") ?? one(".swatch")).focus({ preventScroll: true });
};
const closePalette = () => {
    if (palette.hidden) return;
    const focused = palette.contains(document.activeElement);
    palette.hidden = true;
    wanted = null;
    cursor.hidden = true;
    setPicking(false);
    show();
    if (focused) board.focus({ preventScroll: true });
};
const setColour = (colour) => {
    const { points, number } = wanted;
    closePalette();
    if (number === undefined) change({ ...drawn, hints: [...drawn.hints, { colour, points, radius: radius() }] });
    else if (drawn.hints[number].colour !== colour) replace(number, { ...drawn.hints[number], colour });
};
const pickAt = ([x, y]) => {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    pen.drawImage(picture, 0, 0);
    const spot = [(x + 0.5) / scene.width * canvas.width, (y + 0.5) / scene.height * canvas.height].map(Math.floor);
    const rgb = [...pen.getImageData(...spot, 1, 1).data.slice(0, 3)];
    setColour("#" + rgb.map((channel) => channel.toString(16).padStart(2, "0")).join(""));
};
const setPicking = (value) => {
    picking = value;
    for (const part of [board, palette]) part.classList.toggle("picking", value);
    ask();
};
// A tap that opens the palette ends in a click on the shade, so only one that began there closes it, and does no more.
let began = false;
one(".shade").addEventListener("pointerdown", () => { began = true; });
one(".shade").addEventListener("click", () => {
    if (began) closePalette();
    began = false;
});
palette.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.colour) setColour(button.dataset.colour);
    else if (button?.matches(".close")) closePalette();
    else if (button?.matches(".remove")) {
        const { number } = wanted;
        closePalette();
        remove(number);
    } else if (button?.matches(".more")) {
        anyColour.click();
    } else if (button?.matches(".dropper")) {
        setPicking(true);
        board.focus({ preventScroll: true });
    }
});
anyColour.addEventListener("change", () => wanted && setColour(anyColour.value));
const readHex = () => {
    const [, digits] = hex.value.trim().match(/^#?([0-9a-f]{6}|[0-9a-f]{3})$/i) ?? [];
    hex.setAttribute("aria-invalid", !digits && hex.value.trim() !== "");
    if (digits && wanted)
        setColour("#" + (digits.length === 6 ? digits : digits.replace(/./g, "$&$&")).toLowerCase());
};
hex.addEventListener("keydown", (event) => {
    if (event.key === "Enter") readHex();
});
palette.addEventListener("keydown", (event) => {
    const swatches = all(".swatch"), here = swatches.indexOf(event.target);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -5, ArrowDown: 5 }[event.key];
    if (event.key === "Escape") closePalette();
    else if (here >= 0 && by) swatches[here + by]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
});

// --- Pointing, drawing, holding and moving ---

board.addEventListener("pointerdown", (event) => {
    if (!scene || event.button > 0 || event.target === line || mode === "crop") return;
    if (!event.isPrimary || pinch) return cancel();  // a second finger: the visitor pinches
    const number = event.target.dataset.number;
    if (event.pointerType === "mouse") {
        event.preventDefault();
        (event.target.closest(".marks button") ?? board).focus({ preventScroll: true });
    }
    board.setPointerCapture(event.pointerId);
    gesture = { kind: null, points: [place(event)], at: [event.clientX, event.clientY],
                number: number === undefined ? undefined : Number(number) };
    if (mode === "keep") gesture.kind = "stroke";
    else if (!picking && number === undefined)
        gesture.timer = setTimeout(() => {
            gesture.kind = "before";
            setBefore(true);
        }, HOLD);
});
board.addEventListener("pointermove", (event) => {
    if (!event.isPrimary || !gesture) return;
    const here = place(event), last = gesture.points.at(-1), at = [event.clientX, event.clientY];
    const by = at.map((value, axis) => value - gesture.at[axis]);
    if (gesture.kind === null && Math.hypot(...by) > SLACK && !picking) {
        clearTimeout(gesture.timer);
        if (gesture.number !== undefined) gesture.kind = "move";
        else if (zoom.scale > 1 && !event.shiftKey) gesture.kind = "pan";
        else if (event.pointerType !== "touch") gesture.kind = "stroke";
        if (gesture.kind === "stroke") closePalette();
    }
    if (gesture.kind === "move") {
        moving = { number: gesture.number, by: [0, 1].map((axis) => here[axis] - gesture.points[0][axis]) };
        show();
    } else if (gesture.kind === "pan") {
        gesture.at = at;
        pan(by);
    } else if (gesture.kind === "stroke" && Math.hypot(here[0] - last[0], here[1] - last[1]) > side() / 100) {
        gesture.points.push(here);
        show();
    }
});
board.addEventListener("pointerup", (event) => {
    if (!event.isPrimary || !gesture) return;
    const { kind, points, number } = gesture, by = moving?.by;
    cancel();
    if (kind === "stroke" && mode === "keep") change({ ...drawn, keep: [...drawn.keep, { points, radius: radius() }] });
    else if (kind === "stroke") openPalette({ points });
    else if (kind === "move" && by?.some(Boolean) && drawn.hints[number].points)
        replace(number, moved(drawn.hints[number], by));
    else if (kind === null && picking) pickAt(points[0]);
    else if (kind === null) number === undefined ? openPalette({ points }) : openPalette({ number });
});
const cancel = () => {
    clearTimeout(gesture?.timer);
    if (gesture?.kind === "before") setBefore(false);
    gesture = moving = null;
    show();
};
board.addEventListener("pointercancel", cancel);
board.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;  // with the key, or by two fingers on a touchpad; without, the page scrolls
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 150), [event.clientX, event.clientY]);
}, { passive: false });
// Two fingers zoom the picture, and not the page, which would hide what a tap opens.
let pinch = null;
const fingers = ({ touches: [one, other] }) => ({
    apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
    middle: [(one.clientX + other.clientX) / 2, (one.clientY + other.clientY) / 2],
});
board.addEventListener("touchstart", (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    cancel();
    pinch = fingers(event);
}, { passive: false });
board.addEventListener("touchmove", (event) => {
    if (!pinch || event.touches.length !== 2) return;
    event.preventDefault();
    const now = fingers(event);
    pan(now.middle.map((value, axis) => value - pinch.middle[axis]));
    zoomBy(now.apart / pinch.apart, now.middle);
    pinch = now;
}, { passive: false });
board.addEventListener("touchend", () => { pinch = null; });
board.addEventListener("contextmenu", (event) => {
    if (gesture) event.preventDefault();  // a finger that rests shows the original
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const point = (at) => {
    pointer = inside(at);
    const [left, top] = percent(pointer);
    cursor.hidden = false;
    cursor.style.cssText = `left: ${left}%; top: ${top}%`;
};
board.addEventListener("keydown", (event) => {
    const number = event.target.dataset.number, arrow = ARROWS[event.key];
    const far = event.shiftKey ? side() / 20 : side() / 100;
    if (!scene || event.ctrlKey || event.metaKey || event.target === line) return;
    if (mode === "crop") return cropByKey(event, arrow);
    if (arrow && number !== undefined) {
        moving ??= { number: Number(number), by: [0, 0] };
        moving.by = moving.by.map((distance, axis) => distance + Math.round(arrow[axis] * Math.max(far, 1)));
        show();
    } else if (arrow) {
        point((pointer ?? [scene.width / 2, scene.height / 2]).map((at, axis) => at + arrow[axis] * Math.max(far, 1)));
    } else if (number !== undefined && (event.key === "Delete" || event.key === "Backspace")) {
        remove(Number(number));
        board.focus({ preventScroll: true });
    } else if (number !== undefined && event.key === "Enter") {
        openPalette({ number: Number(number) });
    } else if (event.key === "Enter") {
        if (!pointer || cursor.hidden) point([scene.width / 2, scene.height / 2]);
        else if (picking) pickAt(pointer);
        else if (mode === "keep") change({ ...drawn, keep: [...drawn.keep, { points: [pointer], radius: radius() }] });
        else openPalette({ points: [pointer] });
    } else if (event.key === "Escape") {
        closePalette();
        if (mode === "keep") setMode("hint");
    } else if (event.key === "+" || event.key === "=") zoomBy(1.5);
    else if (event.key === "-") zoomBy(1 / 1.5);
    else if (event.key === "0") setZoom(1);
    else return;
    event.preventDefault();
});
board.addEventListener("keyup", (event) => {
    if (!ARROWS[event.key] || !moving || gesture) return;
    const { number, by } = moving;
    moving = null;
    replace(number, moved(drawn.hints[number], by));
});

// --- Tools ---

document.addEventListener("keydown", (event) => {
    const elsewhere = event.target.matches("input:not([type=range], [type=checkbox]), textarea, select");
    if (!(event.ctrlKey || event.metaKey) || elsewhere || !scene || !element.offsetParent) return;
    const key = event.key.toLowerCase();
    if (key === "z") event.shiftKey ? redo() : undo();
    else if (key === "y") redo();
    else return;
    event.preventDefault();
});
// The space bar shows the original wherever it does nothing else.
const idle = (target) => target === document.body || (element.contains(target) && target.matches(".board, .marks *"));
document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !idle(event.target) || !element.offsetParent) return;
    event.preventDefault();
    if (!event.repeat) setBefore(true);
});
document.addEventListener("keyup", (event) => {
    if (event.key === " " && before) setBefore(false);
});
const hold = one(".hold");
hold.addEventListener("pointerdown", () => setBefore(true));
for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"])
    hold.addEventListener(name, () => setBefore(false));
hold.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && setBefore(true));
hold.addEventListener("keyup", () => setBefore(false));
hold.addEventListener("contextmenu", (event) => event.preventDefault());
for (const button of all("[data-over]"))
    button.addEventListener("click", () => setOver(over === button.dataset.over ? null : button.dataset.over));
const setLine = (share) => {
    line.ariaValueNow = Math.round(Math.min(Math.max(share, 0), 100));
    showOver();
};
line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
line.addEventListener("pointermove", (event) => {
    if (!line.hasPointerCapture(event.pointerId)) return;
    const box = picture.getBoundingClientRect();
    setLine((event.clientX - box.left) / box.width * 100);
});
line.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -5, ArrowRight: 5, Home: -100, End: 100 }[event.key];
    if (!by) return;
    event.preventDefault();
    setLine(Number(line.ariaValueNow) + by);
});
one(".undo").addEventListener("click", undo);
one(".redo").addEventListener("click", redo);
one(".clear").addEventListener("click", () => change({ ...drawn, hints: [] }));
one(".release").addEventListener("click", () => change({ ...drawn, keep: [] }));
one(".keep").addEventListener("click", () => {
    setMode("keep");
    brush.focus();
});
one("[data-for=keep] .cancel").addEventListener("click", () => {
    if (drawn.keep.length) change({ ...drawn, keep: [] });
    setMode("hint");
    one(".keep").focus();
});
one(".redraw").addEventListener("click", () => {
    props.value = drawing();
    trigger("redraw");
    setMode("hint");
    one(".keep").focus();
});
// --- Crop and turn ---

const crop = one(".crop"), OPPOSITE = { n: "s", s: "n", w: "e", e: "w" };
const showCrop = () => {
    crop.hidden = mode !== "crop";
    crop.style.inset = ["n", "e", "s", "w"].map((edge) => `${100 * cut[edge]}%`).join(" ");
    for (const edge of crop.querySelectorAll("[role]")) edge.ariaValueNow = Math.round(100 * cut[edge.dataset.edges]);
    one(".apply").disabled = !Object.values(cut).some((share) => share > 0.002);
};
const cutOff = (edge, share) => {  // at least a twentieth is left
    cut = { ...cut, [edge]: Math.min(Math.max(share, 0), 0.95 - cut[OPPOSITE[edge]]) };
    showCrop();
};
const reframe = (frame) => {
    props.value = { ...drawing(), frame };
    trigger("frame");
    setMode("hint");
    one(".to-crop").focus({ preventScroll: true });
};
const cropByKey = (event, arrow) => {
    const edge = event.target.dataset.edges, [right, down] = arrow ?? [0, 0], by = event.shiftKey ? 0.05 : 0.01;
    const inward = { n: down, s: -down, w: right, e: -right }[edge];
    if (event.key === "Escape") setMode("hint");
    else if (inward) cutOff(edge, cut[edge] + inward * by);
    else return;
    event.preventDefault();
};
let dragged = null;
crop.addEventListener("pointerdown", (event) => {
    if (event.button > 0 || !event.isPrimary) return;
    crop.setPointerCapture(event.pointerId);
    const box = picture.getBoundingClientRect();
    dragged = { edges: [...event.target.dataset.edges ?? "nswe"], from: cut, at: [event.clientX, event.clientY],
                size: [box.width, box.height] };
});
crop.addEventListener("pointermove", (event) => {
    if (!dragged || !event.isPrimary) return;
    const { edges, from, at, size } = dragged;
    let [right, down] = [(event.clientX - at[0]) / size[0], (event.clientY - at[1]) / size[1]];
    if (edges.length === 4) {  // the whole rectangle
        right = Math.min(Math.max(right, -from.w), from.e);
        down = Math.min(Math.max(down, -from.n), from.s);
        cut = { n: from.n + down, s: from.s - down, w: from.w + right, e: from.e - right };
        return showCrop();
    }
    for (const edge of edges) cutOff(edge, from[edge] + { n: down, s: -down, w: right, e: -right }[edge]);
});
for (const name of ["pointerup", "pointercancel"]) crop.addEventListener(name, () => { dragged = null; });
one(".to-crop").addEventListener("click", () => {
    setZoom(1);
    setMode("crop");
    one(".crop i").focus({ preventScroll: true });
});
for (const button of all(".turn"))
    button.addEventListener("click", () => {  // with what is cut off already, which turns along
        const turns = Number(button.dataset.turns), { n, e, s, w } = cut;
        reframe({ turns, cut: turns === 1 ? { top: w, right: n, bottom: e, left: s } : { top: e, right: s, bottom: w, left: n } });
    });
one(".whole").addEventListener("click", () => reframe(null));
one(".apply").addEventListener("click",
    () => reframe({ cut: { top: cut.n, bottom: cut.s, left: cut.w, right: cut.e } }));
one("[data-for=crop] .cancel").addEventListener("click", () => {
    setMode("hint");
    one(".to-crop").focus({ preventScroll: true });
});
one(".zoom-in").addEventListener("click", () => zoomBy(1.5));
one(".zoom-out").addEventListener("click", () => zoomBy(1 / 1.5));
one(".fit").addEventListener("click", () => setZoom(1));
one(".full").hidden = !document.fullscreenEnabled;
one(".full").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else element.requestFullscreen();
});

// --- Two side by side ---

const pair = one(".pair");
let sides = null;
const showPair = () => {
    pair.hidden = !sides;
    one(".tools").classList.toggle("away", Boolean(sides));
    if (!sides) return;
    pair.querySelectorAll("figure").forEach((figure, place) => {
        figure.querySelector("img").src = scene.four[sides[place]].file.url;
        figure.dataset.index = sides[place];
        figure.querySelector(".name").textContent = scene.four[sides[place]].name;
    });
};
const endPair = () => {
    if (!sides) return;
    sides = null;
    showPair();
    board.focus({ preventScroll: true });
};
pair.addEventListener("click", (event) => {
    const button = event.target.closest("button"), figure = button?.closest("figure");
    if (button?.matches(".back")) return endPair();
    if (!figure) return;
    const index = Number(figure.dataset.index);
    if (button.matches(".take")) {
        endPair();
        document.querySelectorAll("#colourings .thumbnail-item")[index].click();
    } else {
        const place = [...pair.querySelectorAll("figure")].indexOf(figure), count = scene.four.length;
        do sides[place] = (sides[place] + 1) % count; while (sides[0] === sides[1]);
        showPair();
    }
});
pair.addEventListener("keydown", (event) => event.key === "Escape" && endPair());

// --- What the server sends: another picture of the same photograph, another photograph, or hints from a file ---

let received = null;
const begin = (next) => {  // a press that began on what was there before is of no use
    scene = next;
    cancel();
    setZoom(1);
};
const receive = () => {
    const next = props.scene, value = props.value;
    if (!next) return;
    if (value?.loaded && value.loaded === scene?.photograph) return change({ hints: value.hints, keep: value.keep });
    const another = next.photograph !== scene?.photograph, repeated = JSON.stringify(next) === received;
    let unsent = false;
    received = JSON.stringify(next);
    if (another || (next.picture.url === next.gray.url && !repeated)) {  // or it is opened anew
        // What was drawn while the server was opening another photograph waits here to be coloured.
        const known = another ? states[next.photograph]?.present : null;
        scene = next;
        unsent = known?.snapshot === null && !same(onView(known), next.drawn ?? NOTHING);
        drawn = unsent ? onView(known) : next.drawn ?? NOTHING;
        if (!another || !states[next.photograph]) {
            // A page that was loaded again learns what it knew before.
            const kept = (later) => next.states.filter(({ snapshot }) => snapshot !== next.snapshot
                && (next.snapshot !== null && snapshot > next.snapshot) === later)
                .map((state) => ({ ...state, drawn: state.drawn ?? NOTHING }));
            states[next.photograph] = { past: kept(false), future: kept(true).reverse(), present: { snapshot: null } };
        }
        present = states[next.photograph].present = { ...states[next.photograph].present, drawn, part: next.part };
        pointer = restoring = null;
        begin(next);
        setMode("hint");
    } else if (!same(next.part, scene.part)) {
        begin(next);
        drawn = onView(present);
    }
    // An answer may be to a change that is not the last one. It belongs to the state in which the same was drawn.
    const history = states[next.photograph], answered = next.drawn ?? NOTHING;
    const every = [present, ...history.past.toReversed(), ...history.future];
    if (next.snapshot !== null && !every.some((state) => state.snapshot === next.snapshot)) {
        const awaited = every.find(({ snapshot, ...state }) => snapshot === null
            && same([state.drawn, state.part], [answered, next.part]));
        if (awaited) awaited.snapshot = next.snapshot;
        else if (restoring === null && same(drawn, answered)) {  // a setting, another draw or a choice
            history.past.push(present);
            history.future = [];
            history.present = present = { drawn, part: next.part, snapshot: next.snapshot };
        }
    }
    if (next.snapshot === restoring) restoring = null;
    // A preview comes without a map; the old one stays until the others are drawn.
    const map = next.map ?? (next.photograph === scene.photograph ? scene.map : null);
    sides = next.four.length ? [next.chosen, next.chosen ? 0 : 1] : null;
    scene = { ...next, map };
    element.style.setProperty("--ratio", scene.width / scene.height);
    picture.src = scene.picture.url;
    one(".over.gray").src = scene.gray.url;
    if (map) one(".over.map").src = map.url;
    element.dataset.ready = "";
    show();
    showOver();
    showPair();
    // What the server has set may be older than what is drawn, which other events send along.
    if (unsent) send();
    else if (!same(stated(value), stated(drawing()))) props.value = drawing();
};
watch(["scene", "value"], receive);
setMode("hint");
receive();
