/* Tries the secure address from where the visitor sits, and shows what this browser saw.

   A browser hides why a request failed. What can be told apart all the same: whether the same name answers without
   HTTPS (then it was found), what the IoT system saw of the handshake (it is asked by that name), how long nothing
   came, and whether the canary, a name of the same zone that no filter hides, was found. Nothing leaves this network
   but the look-ups, and nothing is reported to anybody. The sentences are on the page, one for each verdict. */

"use strict";

(() => {
  /* From what was observed to what is shown: the first row all of whose observations agree. */
  const VERDICTS = [
    [{ secure: "answered" }, "fine"],
    [{ here: "failed" }, "gone"],
    [{ here: "slow" }, "gone"],
    [{ plain: "answered", door: "refused" }, "untrusted"],
    [{ plain: "answered", door: "cut" }, "cut"],
    [{ plain: "answered" }, "closed"],
    [{ plain: "slow" }, "silent"],
    [{ canary: "slow" }, "filtered"],
    [{}, "not-found"],
  ];

  const PATIENCE = 6000; // milliseconds for one request
  const BREATH = 400; // milliseconds for the other side to see what happened

  const decide = (seen) =>
    VERDICTS.find(([row]) => Object.entries(row).every(([what, value]) => seen[what] === value))[1];

  const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

  /* Give "answered", "failed" or "slow", and what was answered. */
  const ask = async (url, mode) => {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE);
    try {
      const answer = await fetch(url, {
        mode,
        cache: "no-store",
        credentials: "omit",
        redirect: mode === "cors" ? "error" : "follow",
        signal: patience.signal,
      });
      return { end: "answered", document: mode === "cors" ? await answer.json() : {} };
    } catch {
      return { end: patience.signal.aborted ? "slow" : "failed", document: {} };
    } finally {
      clearTimeout(timer);
    }
  };

  /* Give what the IoT system saw of the tries that began then; "none" of older ones. */
  const doorOf = ({ https, milliseconds_ago: ago }, began) =>
    ago <= performance.now() - began ? https : "none";

  const observe = async ({ secure, plain, canary }) => {
    const began = performance.now();
    const [first, byName] = await Promise.all([ask(secure, "cors"), ask(plain, "cors")]);
    if (first.end === "answered") return { secure: "answered" };

    await pause(BREATH);
    /* Once more, so that a blip alarms nobody; and the rest of what is needed to say why. */
    const [again, here, found] = await Promise.all([
      ask(secure, "cors"),
      ask("/door.json", "cors"),
      byName.end === "failed" && canary ? ask(canary, "no-cors") : { end: "not tried" },
    ]);
    await pause(BREATH);
    const told = byName.end === "answered" ? await ask(plain, "cors") : byName;
    return { secure: again.end, here: here.end, plain: told.end, door: doorOf(told.document, began), canary: found.end };
  };

  const show = (place, verdict) => {
    for (const part of place.querySelectorAll("[data-verdict]")) part.hidden = part.dataset.verdict !== verdict;
    place.dataset.shown = verdict;
  };

  const place = document.getElementById("browser");
  show(place, "trying");
  observe(place.dataset).then(
    (seen) => show(place, decide(seen)),
    () => show(place, "by-hand"),
  );
})();
