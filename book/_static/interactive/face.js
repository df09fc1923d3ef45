/* A picture of the visitor's, a box in it, and what the page's network answers to what is inside.
   The picture goes from file or camera into a canvas of this page, and nowhere else. */
"use strict";

{
  const MOST = 1200; // pixels of the longer side that are kept of a picture
  const LEAST = 0.05; // of the shorter side: the smallest box
  const SETTLED = 400; // milliseconds after which the answer is read out
  const PARTS = { row: ["upper", "middle", "lower"], column: ["left", "centre", "right"] };
  const FAILED = "That is no picture that this browser can open. Choose a JPEG or PNG file.";
  const REFUSED = "There is no camera here, or this page may not use it. Choose a picture instead.";

  const between = (least, value, most) => Math.max(least, Math.min(value, most));

  /** Where on the face a place of the map is, in words. */
  function words(at, count) {
    const [row, column] = [Math.floor(at / count), at % count].map((place) =>
      Math.min(2, Math.floor((3 * (place + 0.5)) / count)),
    );
    return row === 1 && column === 1
      ? "the centre"
      : `the ${PARTS.row[row]} ${PARTS.column[column]}`;
  }

  report.start("face", (place, data) => {
    const { make } = report;
    const network = report.network(data.network);
    let picture = null; // in grey
    let box = null; // left, top, side: pixels of the picture
    let grey = null; // what the network sees
    let shares = [];
    let waiting = null;
    let question = 0; // a later one makes an earlier one void
    let stream = null;

    // ---- elements ----
    const file = make("input", { type: "file", accept: "image/*", hidden: true });
    const choose = make("button", { type: "button" }, "Choose a picture");
    const camera = make("button", { type: "button" }, "Use the camera");
    const cancel = make("button", { type: "button", hidden: true }, "Cancel");
    const canvas = make("canvas", { role: "img", "aria-label": "Your picture", hidden: true });
    const video = make("video", { playsinline: true, hidden: true, "aria-label": "The camera" });
    video.muted = true;
    const corner = make("span", { class: "corner" });
    const frame = make("div", {
      class: "frame",
      role: "application",
      tabindex: 0,
      "aria-roledescription": "movable box",
      hidden: true,
    });
    frame.append(corner);
    const invitation = make("p", {}, "or drop one here");
    const stage = make("div", { class: "stage" }, invitation, canvas, frame, video);
    const size = make("input", { type: "range", min: 5, max: 100, step: 1 });
    const hint = make(
      "p",
      { class: "hint" },
      "Put the box around the face, from eyebrows to chin: drag it, or click where it should be. " +
        "With the keyboard, the arrow keys move it, + and − resize it.",
    );
    hint.id = "face-hint";
    frame.setAttribute("aria-describedby", hint.id);
    const fitting = make("div", { hidden: true }, report.labelled("Size of the box", size), hint);
    const message = make("p", { class: "message", role: "alert" });
    const said = make("p", { class: "said", role: "status" });

    const seen = make("canvas", { width: 48, height: 48, role: "img" });
    seen.setAttribute("aria-label", "The inside of the box in 48 by 48 grey pixels");
    const map = make("canvas", { width: 48, height: 48, class: "map", "aria-hidden": "true" });
    const explain = make("button", { type: "button" }, "What decided?");
    const progress = make("progress", { max: 1, value: 0, hidden: true });
    progress.setAttribute("aria-label", "Covering parts of the face");
    const decided = make("p", { class: "decided", role: "status" });
    const rows = data.emotions.map((name, at) => {
      const bar = make("span", { class: "bar" });
      const share = make("span", { class: "share" });
      return { bar, share, row: report.row([name, [bar, share], data.wrong[at]]) };
    });
    const heads = ["Answer", "Probability", "Wrong when it says so"];
    const bars = make(
      "table",
      { class: "bars" },
      make("caption", { class: "unseen" }, "What the network answers"),
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map(({ row }) => row)),
    );
    const sees = make(
      "div",
      { class: "sees" },
      make("div", { class: "pair" }, seen, map),
      make("div", {}, make("p", {}, "What the network sees"), explain, progress, decided),
    );
    const not = make(
      "p",
      { class: "hint" },
      "A guess at what the face looks like, not at what the person feels.",
    );
    const answer = make("div", { class: "answer", hidden: true }, said, bars, not, sees);

    // ---- the answer ----
    function ask() {
      question += 1;
      grey = report.crop(picture, box);
      const pixels = new ImageData(48, 48);
      grey.forEach((value, at) => pixels.data.set([value, value, value, 255], 4 * at));
      seen.getContext("2d").putImageData(pixels, 0, 0);
      map.getContext("2d").clearRect(0, 0, 48, 48);
      decided.textContent = "";
      progress.hidden = true;
      explain.disabled = false;
      shares = network(grey);
      const best = shares.indexOf(Math.max(...shares));
      rows.forEach(({ bar, share, row }, at) => {
        bar.style.setProperty("--share", `${100 * shares[at]}%`);
        share.textContent = report.percent(shares[at]);
        row.classList.toggle("is-best", at === best);
      });
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        said.textContent =
          `It says “${data.emotions[best]}”, with a probability of ` +
          `${report.percent(shares[best])}. ${data.sentences[best]}`;
      }, SETTLED);
    }

    async function showWhatDecided() {
      const mine = question;
      const best = shares.indexOf(Math.max(...shares));
      explain.disabled = true;
      progress.value = 0;
      progress.hidden = false;
      const count = Math.floor((48 - data.covering.square) / data.covering.step) + 1;
      const drops = await report.covered(network, grey, best, data.covering, (done) => {
        if (mine === question) progress.value = done / count;
        return mine === question;
      });
      if (!drops || mine !== question) return;
      progress.hidden = true;
      draw(drops);
      const flat = drops.flat();
      const most = Math.max(...flat);
      const name = data.emotions[best];
      decided.textContent =
        most > 0.005
          ? `“${name}” depends most on ${words(flat.indexOf(most), count)} of the box: with that ` +
            `covered, its probability is ${report.percent(shares[best] - most)}. ` +
            "The redder, the more a part counts."
          : `No single part decides: “${name}” stays, whichever is covered.`;
    }

    /** Colours each pixel by the mean drop of the squares over it, where that is positive. */
    function draw(drops) {
      const { square, step } = data.covering;
      const sums = new Float32Array(48 * 48);
      const counts = new Float32Array(48 * 48);
      drops.forEach((line, row) =>
        line.forEach((drop, column) => {
          for (let at = 0; at < square * square; at += 1) {
            const [down, across] = [Math.floor(at / square), at % square];
            const pixel = (row * step + down) * 48 + column * step + across;
            sums[pixel] += Math.max(drop, 0);
            counts[pixel] += 1;
          }
        }),
      );
      const means = sums.map((sum, at) => sum / counts[at]);
      const most = Math.max(...means, 1e-6);
      const pixels = new ImageData(48, 48);
      means.forEach((mean, at) => pixels.data.set([220, 40, 60, (190 * mean) / most], 4 * at));
      map.getContext("2d").putImageData(pixels, 0, 0);
    }

    // ---- the box ----
    /** Puts the box where it was asked for, or as near as the picture allows, and asks. */
    function put(left, top, side) {
      const shorter = Math.min(picture.width, picture.height);
      const fits = between(LEAST * shorter, side, shorter);
      box = {
        side: fits,
        left: between(0, left, picture.width - fits),
        top: between(0, top, picture.height - fits),
      };
      const percent = (part, of) => `${(100 * part) / of}%`;
      frame.style.left = percent(box.left, picture.width);
      frame.style.top = percent(box.top, picture.height);
      frame.style.width = percent(fits, picture.width);
      size.value = Math.round((100 * fits) / shorter);
      const rounded = (part, of) => Math.round((100 * part) / of);
      frame.setAttribute(
        "aria-label",
        `Box around the face, ${rounded(box.left, picture.width)} % from the left, ` +
          `${rounded(box.top, picture.height)} % from the top, ${size.value} % large`,
      );
      ask();
    }
    const resize = (side) =>
      put(box.left + (box.side - side) / 2, box.top + (box.side - side) / 2, side);
    const centre = ([x, y]) => put(x - box.side / 2, y - box.side / 2, box.side);

    /** Where in the picture a pointer is. */
    function position({ clientX, clientY }) {
      const shown = canvas.getBoundingClientRect();
      const scale = picture.width / shown.width;
      return [(clientX - shown.left) * scale, (clientY - shown.top) * scale];
    }
    frame.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const [x, y] = position(event);
      const { left, top, side } = box;
      const move =
        event.target === corner
          ? ([toX, toY]) => put(left, top, Math.max(side + (toX - x + toY - y) / 2, 1))
          : ([toX, toY]) => put(left + toX - x, top + toY - y, side);
      const follow = (moved) => move(position(moved));
      frame.setPointerCapture(event.pointerId);
      frame.addEventListener("pointermove", follow);
      frame.addEventListener(
        "lostpointercapture",
        () => frame.removeEventListener("pointermove", follow),
        { once: true },
      );
    });
    canvas.addEventListener("click", (event) => centre(position(event)));
    size.addEventListener("input", () =>
      resize((size.value / 100) * Math.min(picture.width, picture.height)),
    );
    frame.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { left, top, side } = box;
      const step = side / 24;
      const act = {
        ArrowLeft: () => put(left - step, top, side),
        ArrowRight: () => put(left + step, top, side),
        ArrowUp: () => put(left, top - step, side),
        ArrowDown: () => put(left, top + step, side),
        "+": () => resize(side * 1.08),
        "=": () => resize(side * 1.08), // + without the shift key
        "-": () => resize(side / 1.08),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    explain.addEventListener("click", showWhatDecided);

    // ---- the picture ----
    /** Shows a picture or the camera's, smaller where it is large, and puts a box into it. */
    async function show(source, width, height, mirrored = false) {
      const scale = Math.min(1, MOST / Math.max(width, height));
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.fillStyle = "#fff"; // behind what is transparent
      context.fillRect(0, 0, canvas.width, canvas.height);
      if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
      context.imageSmoothingQuality = "high";
      context.drawImage(source, 0, 0, canvas.width, canvas.height);
      picture = report.grey(context.getImageData(0, 0, canvas.width, canvas.height));
      message.textContent = "";
      invitation.hidden = true;
      for (const part of [canvas, frame, fitting, answer]) part.hidden = false;
      const found = await face();
      const side = found?.side ?? 0.6 * Math.min(picture.width, picture.height);
      const [x, y] = found?.middle ?? [picture.width / 2, picture.height / 2];
      put(x - side / 2, y - side / 2, side);
    }

    /** The face that the browser finds, where it has a detector of its own. */
    async function face() {
      try {
        const detector = new globalThis.FaceDetector({ maxDetectedFaces: 1 });
        const [{ boundingBox: found }] = await detector.detect(canvas);
        return {
          side: Math.max(found.width, found.height),
          middle: [found.x + found.width / 2, found.y + found.height / 2],
        };
      } catch {
        return null;
      }
    }

    async function open(chosen) {
      if (!chosen) return;
      stop();
      try {
        const bitmap = await createImageBitmap(chosen);
        await show(bitmap, bitmap.width, bitmap.height);
      } catch {
        message.textContent = FAILED;
      }
    }
    choose.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      open(file.files[0]);
      file.value = ""; // so that the same file can be chosen again
    });
    for (const type of ["dragover", "drop"]) {
      place.addEventListener(type, (event) => {
        event.preventDefault();
        if (type === "drop") open(event.dataTransfer.files[0]);
      });
    }

    // ---- the camera ----
    function stop() {
      stream?.getTracks().forEach((track) => track.stop());
      stream = null;
      video.hidden = cancel.hidden = true;
      camera.textContent = "Use the camera";
      stage.classList.remove("is-live");
    }
    async function useCamera() {
      if (stream) {
        await show(video, video.videoWidth, video.videoHeight, true);
        stop();
        frame.focus();
        return;
      }
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
        video.srcObject = stream;
        await video.play();
      } catch {
        stop();
        message.textContent = REFUSED;
        return;
      }
      message.textContent = "";
      video.hidden = cancel.hidden = false;
      camera.textContent = "Take the picture";
      stage.classList.add("is-live");
    }
    camera.hidden = !navigator.mediaDevices; // there is none where a page is served unencrypted
    camera.addEventListener("click", useCamera);
    cancel.addEventListener("click", stop);

    place.classList.add("face");
    place.replaceChildren(
      make("div", { class: "controls" }, choose, camera, cancel, file),
      message,
      make("div", { class: "sides" }, make("div", {}, stage, fitting), answer),
    );
  });
}
