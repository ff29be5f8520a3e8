"use strict";
// Browses the items. All texts are shown with textContent, never parsed as markup.
(() => {
  const $ = (id) => document.getElementById(id);
  const ROW = 3.75 * parseFloat(getComputedStyle(document.documentElement).fontSize); // px; 3.75rem, as .row in page.css
  const SPARE = 6; // rows rendered above and below the visible ones
  const FLAGS = { dissent: 1, flip: 2, failure: 4, against: 8 };
  const NOT_ASKED = "not_asked";

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const plural = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

  // --- the data: item number i is row rowOf[i] of dataset setOf[i]

  const { strings, datasets } = JSON.parse($("data").textContent);
  const setOf = [], rowOf = [];
  datasets.forEach((set, at) => set.human.forEach((_, row) => { setOf.push(at); rowOf.push(row); }));
  const total = setOf.length;
  const voterNames = new Map(); // name -> kind
  const outcomesMet = new Set();
  for (const set of datasets) {
    for (const voter of set.voters) {
      voterNames.set(voter.name, voter.kind);
      for (const column of [voter, ...voter.orders]) column.outcome.forEach((o) => outcomesMet.add(o));
    }
  }

  /** The side of a label: 1, 0, or 2 for the middle; -1 if there is none. */
  const side = (label) => (label === null ? -1 : label > 0.5 ? 1 : label < 0.5 ? 0 : 2);
  const opposed = (one, other) => one + other === 1 && one >= 0 && other >= 0;
  /** Whether two labels are opposed; off two sides, whether they are further apart than set.apart. */
  const against = (set, one, other) => set.apart === null ? opposed(side(one), side(other)) : unlike(set, one, other);
  const unlike = (set, one, other) => one !== null && other !== null
    && (set.apart === null ? side(one) !== side(other) : Math.abs(one - other) > set.apart);
  const failed = (outcome) => outcome !== "ok" && outcome !== NOT_ASKED;

  /** The flags of a voter on a row, as a sum of FLAGS, without dissent. */
  const flagsOf = (set, voter, row) => {
    let flags = 0;
    if (against(set, voter.label[row], set.human[row])) flags |= FLAGS.against;
    if (voter.kind === "jury") return failed(voter.outcome[row]) ? flags | FLAGS.failure : flags;
    let seen = null;
    for (const order of voter.orders) {
      if (failed(order.outcome[row])) flags |= FLAGS.failure;
      const own = order.label[row];
      if (unlike(set, own, seen)) flags |= FLAGS.flip;
      if (own !== null) seen = own;
    }
    return flags;
  };

  const flagCache = new Map();
  /** The flags of all items for one voter or, for "", all voters but string rules (unless there are no others). */
  const flagsFor = (name) => {
    if (flagCache.has(name)) return flagCache.get(name);
    const found = new Uint8Array(total);
    let start = 0;
    for (const set of datasets) {
      const rows = set.human.length;
      const models = set.voters.some((v) => v.kind === "judge");
      const judges = set.voters.filter((v) => v.kind === (models ? "judge" : "lexical"));
      const meant = set.voters.filter((v) => (name ? v.name === name : v.kind === "jury" || judges.includes(v)));
      for (const voter of meant) {
        const peers = voter.kind === "jury" ? set.voters.filter((v) => voter.members.includes(v.name)) : judges;
        const dissents = name || voter.kind !== "jury";
        for (let row = 0; row < rows; row++) {
          let flags = flagsOf(set, voter, row);
          // With no voter chosen, failures are those of judges, not juries without a decision.
          if (!name && voter.kind === "jury") flags &= ~FLAGS.failure;
          if (dissents && peers.some((p) => unlike(set, p.label[row], voter.label[row]))) flags |= FLAGS.dissent;
          found[start + row] |= flags;
        }
      }
      start += rows;
    }
    flagCache.set(name, found);
    return found;
  };

  /** Whether the chosen voter (or any) has a verdict, with the chosen outcome (or any). */
  const voterHas = (set, row, name, outcome) => set.voters.some((voter) => {
    if (name && voter.name !== name) return false;
    if (!outcome) return voter.outcome[row] !== NOT_ASKED;
    return voter.outcome[row] === outcome || voter.orders.some((order) => order.outcome[row] === outcome);
  });

  let lowered = null;
  const lower = () => (lowered ??= strings.map((text) => text.toLowerCase()));
  /** Which strings contain the words, as 0 and 1: each text is searched once. */
  const hitsOf = (words) => {
    return Uint8Array.from(lower(), (text) => (text.includes(words) ? 1 : 0));
  };
  const textFound = (set, row, hits) => {
    for (const name of ["item_id", "candidate", "opponent", "question", "answer", "opponent_answer"]) if (hits[set[name][row]]) return true;
    if (set.references[row].some((text) => hits[text])) return true;
    for (const voter of set.voters) for (const order of voter.orders) {
      if (hits[order.reply[row]]) return true;
      const more = order.more[row];
      if (more && Object.values(more).some((text) => hits[text])) return true;
    }
    return false;
  };

  // --- filtering

  const chosen = { words: "", dataset: "", voter: "", outcome: "", flags: 0 };
  let shown = []; // numbers of the items that pass
  let at = -1; // place in `shown` of the selected item

  const filter = () => {
    const started = performance.now();
    const words = $("search").value.trim().toLowerCase();
    Object.assign(chosen, { words, dataset: $("dataset").value, voter: $("voter").value, outcome: $("outcome").value });
    const selected = shown[at];
    const flags = flagsFor(chosen.voter), hits = words ? hitsOf(words) : null;
    const counts = Object.fromEntries(Object.keys(FLAGS).map((name) => [name, 0]));
    shown = [];
    for (let item = 0; item < total; item++) {
      const set = datasets[setOf[item]], row = rowOf[item];
      if (chosen.dataset && set.name !== chosen.dataset) continue;
      if ((chosen.voter || chosen.outcome) && !voterHas(set, row, chosen.voter, chosen.outcome)) continue;
      if (hits && !textFound(set, row, hits)) continue;
      const own = flags[item];
      for (const name in FLAGS) {
        const wanted = chosen.flags | FLAGS[name];
        if ((own & wanted) === wanted) counts[name]++;
      }
      if ((own & chosen.flags) === chosen.flags) shown.push(item);
    }
    for (const button of document.querySelectorAll("[data-flag]")) {
      button.querySelector(".count").textContent = counts[button.dataset.flag].toLocaleString("en");
    }
    const narrowed = words || chosen.dataset || chosen.voter || chosen.outcome || chosen.flags;
    $("clear").hidden = !narrowed;
    $("status").textContent = narrowed ? `${shown.length.toLocaleString("en")} of ${plural(total, "item", "items")}` : plural(total, "item", "items");
    $("sizer").style.height = `${shown.length * ROW}px`;
    version++;
    const kept = shown.indexOf(selected);
    if (kept < 0) $("list").scrollTop = 0;
    select(shown.length ? Math.max(kept, 0) : -1);
    draw();
    performance.measure("filter", { start: started, end: performance.now() });
  };

  // --- the list: as many elements as fit the screen, moved and refilled on scrolling

  const pool = [];
  let version = 0;

  const draw = () => {
    const list = $("list");
    if (!list.clientHeight) return;
    const seen = Math.ceil(list.clientHeight / ROW) + 2 * SPARE;
    while (pool.length < seen) {
      const row = make("div", "row");
      row.setAttribute("role", "option");
      row.append(make("div", "title"), make("div", "under"));
      $("sizer").append(row);
      pool.push({ row, place: -1, version: -1 });
    }
    const first = Math.max(0, Math.min(Math.floor(list.scrollTop / ROW) - SPARE, shown.length - pool.length));
    const used = new Set();
    for (let place = first; place < Math.min(first + pool.length, shown.length); place++) {
      const slot = pool[place % pool.length];
      used.add(slot);
      if (slot.place !== place || slot.version !== version) fill(slot, place);
      slot.row.setAttribute("aria-selected", String(place === at));
    }
    for (const slot of pool) slot.row.hidden = !used.has(slot);
    const active = at >= 0 && pool[at % pool.length];
    if (active && active.place === at && used.has(active)) list.setAttribute("aria-activedescendant", active.row.id);
    else list.removeAttribute("aria-activedescendant");
  };

  const fill = (slot, place) => {
    const item = shown[place], set = datasets[setOf[item]], row = rowOf[item];
    Object.assign(slot, { place, version });
    slot.row.id = `item-${item}`;
    slot.row.style.transform = `translateY(${place * ROW}px)`;
    slot.row.setAttribute("aria-posinset", place + 1);
    slot.row.setAttribute("aria-setsize", shown.length);
    const [title, under] = slot.row.children;
    title.textContent = strings[set.question[row]] || `Item ${strings[set.item_id[row]]}`;
    const marks = make("span", "marks");
    marks.append(mark(set, set.human[row], "human"));
    for (const voter of set.voters) marks.append(mark(set, voter.label[row], voter.kind, against(set, voter.label[row], set.human[row])));
    marks.setAttribute("role", "img");
    marks.setAttribute("aria-label", summaryOf(set, row));
    under.replaceChildren(make("span", "who", `${named(set, row)} · ${set.name}`), marks);
  };

  const mark = (set, label, kind, opposes) => {
    const shown = set.apart === 0 && label !== null ? 2 : side(label);
    const shape = ["yes", "no", "tie", "none"][[1, 0, 2, -1].indexOf(shown)];
    return make("b", `mark ${shape} ${kind}${opposes ? " against" : ""}`);
  };
  const summaryOf = (set, row) => {
    const votes = set.voters.filter((v) => v.label[row] !== null);
    const opposing = votes.filter((v) => against(set, v.label[row], set.human[row])).length;
    return `Human: ${word(set, row, set.human[row], set.human_scale)}; ${votes.length} of ${set.voters.length} voted, ${opposing} against the human label`;
  };
  const named = (set, row) => {
    const opponent = strings[set.opponent[row]], criterion = strings[set.criterion[row]];
    return strings[set.candidate[row]] + (opponent ? ` vs ${opponent}` : "") + (criterion ? ` (${criterion})` : "");
  };
  /** A label in words. */
  const word = (set, row, label, scale = set.scale) => {
    if (label === null) return "none";
    if (scale) return scale.values[label] ?? (scale.low + label * (scale.high - scale.low)).toFixed(2);
    if (label === 0.5) return set.pairs ? "tie" : "in the middle";
    if (set.pairs) {
      const slightly = label > 0 && label < 1 ? "slightly " : "";
      return `${slightly}${label > 0.5 ? "A" : "B"}: ${strings[set[label > 0.5 ? "candidate" : "opponent"][row]]}`;
    }
    return label === 1 ? "correct" : label === 0 ? "incorrect" : String(label);
  };

  // --- the selected item

  const select = (place, into) => {
    at = place;
    if (place >= 0) {
      const list = $("list"), top = place * ROW;
      if (list.clientHeight) {
        if (top < list.scrollTop) list.scrollTop = top;
        else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
      }
    }
    if (into) { document.body.classList.add("reads-one"); }
    detail();
    draw();
    if (into) $("detail").focus({ preventScroll: true });
  };
  const move = (by) => { if (shown.length) select(Math.max(0, Math.min(shown.length - 1, at + by))); };
  const back = () => { document.body.classList.remove("reads-one"); draw(); $("list").focus({ preventScroll: true }); };

  const detail = () => {
    const box = $("detail");
    box.scrollTop = 0;
    if (at < 0) { box.replaceChildren(make("p", "empty", "No item matches these filters.")); return; }
    const set = datasets[setOf[shown[at]]], row = rowOf[shown[at]];
    const moves = make("div", "moves");
    const button = (text, name, act, label) => {
      const made = make("button", name, text);
      made.type = "button";
      if (label) made.setAttribute("aria-label", label);
      made.addEventListener("click", act);
      return made;
    };
    moves.append(button("‹ List", "back", back), button("‹", "", () => move(-1), "Previous item"), button("›", "", () => move(1), "Next item"),
      make("span", "place", `${(at + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`));
    const crumbs = make("p", "crumbs");
    crumbs.append(make("span", "", set.name), make("span", "", strings[set.item_id[row]]), make("span", "", named(set, row)));
    const parts = [moves, crumbs];
    const question = strings[set.question[row]];
    parts.push(make("h2", "", question || `Item ${strings[set.item_id[row]]}`));
    const references = set.references[row].map((text) => strings[text]);
    if (references.length) parts.push(make("h3", "", references.length > 1 ? "Reference answers" : "Reference answer"), make("p", "reference", references.join("\n")));
    parts.push(...answers(set, row), humanLabel(set, row));
    parts.push(make("h3", "", "Votes and raw replies"), verdicts(set, row));
    box.replaceChildren(...parts);
  };

  const answers = (set, row) => {
    const texts = [["answer", "candidate", 1], ["opponent_answer", "opponent", 0]].slice(0, set.pairs ? 2 : 1);
    if (texts.every(([text]) => !set[text][row])) return [make("p", "notice", "This dataset has recorded verdicts only, without texts.")];
    const made = texts.map(([text, who, wins], number) => {
      const box = make("div");
      const title = set.pairs ? `Answer ${"AB"[number]}: ${strings[set[who][row]]}` : "Answer";
      box.append(make("h3", "", title), make("div", `text${set.pairs && side(set.human[row]) === wins ? " preferred" : ""}`, strings[set[text][row]] || "(empty)"));
      return box;
    });
    const pair = make("div", set.pairs ? "pair" : "");
    pair.append(...made);
    return [pair];
  };

  const humanLabel = (set, row) => {
    const box = make("div", "human-label"), label = set.human[row];
    box.append(make("span", "", "Human label"), mark(set, label, "human"), make("strong", "", label === null ? "none" : word(set, row, label, set.human_scale)));
    return box;
  };

  const badge = (set, row, label, outcome) => {
    const opposes = against(set, label, set.human[row]);
    const made = make("span", `badge${label === null ? " missing" : opposes ? " against" : ""}`);
    made.append(mark(set, label, "", opposes), make("span", "", label === null ? outcome.replaceAll("_", " ") : word(set, row, label)));
    return made;
  };

  const verdicts = (set, row) => {
    const list = make("ul", "verdicts");
    const rank = { jury: 0, judge: 1, lexical: 2 };
    for (const voter of [...set.voters].sort((a, b) => rank[a.kind] - rank[b.kind])) {
      const entry = make("li", voter.name === chosen.voter ? "chosen" : "");
      const head = make("div", "verdict");
      const about = voter.kind === "jury" ? `jury of ${voter.members.join(", ")}` : voter.kind === "lexical" ? "string rule" : voter.family;
      head.append(make("span", "voter", voter.name), make("span", "family", about));
      if (against(set, voter.label[row], set.human[row])) head.append(make("span", "tag", "against humans"));
      head.append(badge(set, row, voter.label[row], voter.outcome[row]));
      entry.append(head);
      for (const order of voter.orders) {
        const text = strings[order.reply[row]], more = order.more[row] || {};
        if (order.outcome[row] === NOT_ASKED) continue;
        const box = make("div", "order"), said = make("div", "said"), replies = make("div");
        if (voter.orders.length > 1) said.append(make("small", "", `${order.order} order`), badge(set, row, order.label[row], order.outcome[row]));
        else if (order.outcome[row] !== "ok") said.append(make("small", "", order.outcome[row]));
        if (order.score[row] !== null) said.append(make("small", "", `score ${order.score[row].toFixed(3)}`));
        for (const [name, part] of [["thinking", more.thinking], ["first reply", more.earlier], ["error", more.error]]) {
          if (part) replies.append(reply(strings[part], name, voter.name));
        }
        if (text || !replies.children.length) replies.append(reply(text || "(no text)", replies.children.length ? "reply" : "", voter.name));
        if (!said.children.length) said.append(make("small", "", "raw reply"));
        box.append(said, replies);
        entry.append(box);
      }
      list.append(entry);
    }
    return list;
  };
  const reply = (text, part, who) => {
    const pre = make("pre");
    if (part) pre.append(make("span", "part", part));
    pre.append(text);
    if (text.length > 600) { pre.tabIndex = 0; pre.setAttribute("aria-label", `Reply of ${who}`); }
    return pre;
  };

  // --- controls

  const options = (id, all, groups) => {
    const add = (parent, value, text) => { const o = make("option", "", text); o.value = value; parent.append(o); };
    add($(id), "", all);
    for (const [label, values] of groups) {
      const group = label ? make("optgroup") : $(id);
      if (label) { group.label = label; if (values.length) $(id).append(group); }
      for (const value of values) add(group, value, id === "outcome" ? value.replaceAll("_", " ") : value);
    }
  };
  const ofKind = (kind) => [...voterNames].filter(([, k]) => k === kind).map(([name]) => name).sort();
  options("dataset", "All datasets", [["", datasets.map((set) => set.name)]]);
  options("voter", "All judges and juries", [["Judges", ofKind("judge")], ["String rules", ofKind("lexical")], ["Juries", ofKind("jury")]]);
  options("outcome", "Any outcome", [["", [...outcomesMet].sort()]]);
  $("how-many").textContent = total.toLocaleString("en");

  for (const id of ["dataset", "voter", "outcome"]) $(id).addEventListener("change", filter);
  $("search").addEventListener("input", filter);
  $("search").addEventListener("focus", () => setTimeout(lower), { once: true }); // before the first key press
  document.querySelector(".filters").addEventListener("submit", (event) => { event.preventDefault(); $("list").focus(); });
  for (const button of document.querySelectorAll("[data-flag]")) {
    button.addEventListener("click", () => {
      chosen.flags ^= FLAGS[button.dataset.flag];
      button.setAttribute("aria-pressed", String(Boolean(chosen.flags & FLAGS[button.dataset.flag])));
      filter();
    });
  }
  $("clear").addEventListener("click", () => {
    for (const id of ["search", "dataset", "voter", "outcome"]) $(id).value = "";
    chosen.flags = 0;
    for (const button of document.querySelectorAll("[data-flag]")) button.setAttribute("aria-pressed", "false");
    filter();
    $("list").focus();
  });
  $("help").addEventListener("click", () => $("keys").showModal());

  let waiting = false;
  $("list").addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }, { passive: true });
  $("list").addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    const slot = row && pool.find((one) => one.row === row);
    if (slot) select(slot.place, matchMedia("(max-width: 50rem)").matches);
  });
  addEventListener("resize", draw);

  const KEYS = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, Home: -Infinity, End: Infinity, PageDown: 10, PageUp: -10 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      location.hash = "items";
      show();
      document.body.classList.remove("reads-one");
      $("search").focus();
      return;
    }
    if (event.key === "?" && !typing) { event.preventDefault(); $("keys").showModal(); return; }
    if ($("items").hidden) return;
    if (event.key === "Escape" && !event.target.matches("select")) { back(); return; }
    if (event.target.id === "search" && event.key === "ArrowDown") { event.preventDefault(); $("list").focus(); return; }
    if (typing || !(event.key in KEYS || event.key === "Enter")) return;
    const letter = event.key === "j" || event.key === "k";
    const inList = event.target === $("list") || event.target === document.body || event.target === $("items");
    if (event.key === "Enter") { if (inList && at >= 0) { event.preventDefault(); select(at, true); } return; }
    if (!letter && !inList) return; // arrows scroll the focused element
    event.preventDefault();
    move(KEYS[event.key]);
  });

  // --- sortable tables

  for (const table of document.querySelectorAll(".sortable")) {
    const heads = [...table.querySelectorAll("thead th")], body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = make("button", "", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const down = head.getAttribute("aria-sort") === (numeric ? null : "ascending") || (numeric && head.getAttribute("aria-sort") !== "descending");
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const cell = (row) => row.cells[column].textContent;
        const compare = numeric ? (a, b) => Number(a) - Number(b) : (a, b) => a.localeCompare(b, "en");
        const rows = [...body.rows].sort((one, other) => {
          const [a, b] = [cell(one), cell(other)];
          if (!a || !b) return (a ? 0 : 1) - (b ? 0 : 1); // undefined values come last
          return down ? compare(b, a) : compare(a, b);
        });
        body.append(...rows);
      });
    });
  }

  // --- switching between results and items

  const show = () => {
    const items = location.hash.startsWith("#items");
    if ($("items").hidden !== items) return;
    $("items").hidden = !items;
    $("results").hidden = items;
    $(items ? "to-items" : "to-results").setAttribute("aria-current", "page");
    $(items ? "to-results" : "to-items").removeAttribute("aria-current");
    scrollTo(0, 0);
    if (items) { draw(); $("list").focus({ preventScroll: true }); }
  };
  addEventListener("hashchange", show);
  filter();
  show();
  performance.mark("ready");
})();
