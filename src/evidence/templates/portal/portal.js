"use strict";
(() => {
  const form = document.getElementById("filter");
  const more = document.getElementById("more");
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const reset = document.getElementById("reset");
  const tongues = [...document.querySelectorAll("nav a")];
  const texts = window.evidenceTexts || {};
  const digits = [...count.dataset.digits];
  const invisible = /[\u00ad\u200b\u200c\u200d\u2060\ufeff]/g;
  const fold = text => text.normalize("NFKC").toLowerCase().replace(invisible, "");
  const spell = number => String(number).replace(/\d/g, digit => digits[digit]);

  const studies = [...document.querySelectorAll(".study")].map(node => ({
    node,
    title: node.querySelector("h3"),
    message: node.querySelector(".message"),
    links: node.querySelector(".links"),
    tokens: new Set(node.dataset.tokens.split(" ")),
    versions: [...node.querySelectorAll(".version")].map(version => {
      const [text, said] = texts[version.dataset.key] || [version.dataset.text || "", ""];
      const told = version.querySelector(".said");
      return {
        lang: version.lang,
        name: version.querySelector(".tongue").textContent,
        unreviewed: version.querySelector(".new") !== null,
        title: version.querySelector(".title").textContent,
        said: told ? told.textContent : said,
        text,
        rows: [...version.querySelectorAll("li")],
      };
    }),
    shown: null,
  }));
  studies.forEach(study => { study.shown = study.versions[0].rows[0]; });

  const lead = (study, version, row) => {
    if (study.shown === row) return;
    study.shown = row;
    const link = study.title.querySelector("a");
    study.title.lang = study.message.lang = version.lang;
    link.textContent = version.title;
    link.setAttribute("href", row.querySelector("a").getAttribute("href"));
    study.message.textContent = version.said;
    study.message.hidden = !version.said;
    const tongue = study.links.querySelector(".tongue");
    tongue.lang = version.lang;
    tongue.textContent = version.name;
    const files = study.links.querySelector(".files");
    study.links.querySelector(".new").hidden = !version.unreviewed;
    files.replaceChildren(...row.querySelector(".files").cloneNode(true).childNodes);
  };

  const choose = (study, state, words) => {
    for (const version of study.versions) {
      if (state.language && state.language !== version.lang) continue;
      if (!words.every(word => version.text.includes(word))) continue;
      const row = version.rows.find(
        found => !state.audience || found.dataset.audience === state.audience);
      if (row) return [version, row];
    }
    return null;
  };

  const read = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));

  const apply = () => {
    const state = read();
    const words = fold(state.q || "").split(/\s+/).filter(Boolean);
    const wanted = ["country", "sector", "sdg", "grade", "state"]
      .filter(name => state[name])
      .map(name => `${name}=${state[name]}`.replaceAll(" ", "_"));
    let shown = 0;
    for (const study of studies) {
      const fits = wanted.every(token => study.tokens.has(token));
      const found = fits ? choose(study, state, words) : null;
      study.node.hidden = !found;
      if (found) { lead(study, ...found); shown += 1; }
    }
    count.textContent = count.dataset.says
      .replace("{shown}", spell(shown)).replace("{total}", spell(studies.length));
    none.hidden = shown > 0;
    reset.hidden = !Object.keys(state).length;
    return state;
  };

  const remember = (state, push) => {
    const hash = new URLSearchParams(state).toString();
    const place = hash ? `#${hash}` : location.pathname + location.search;
    if (location.hash.slice(1) !== hash) history[push ? "pushState" : "replaceState"](null, "", place);
    carry();
  };

  const carry = () => tongues.forEach(link => { link.hash = location.hash; });

  const restore = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      if (!field.name) continue;
      field.value = asked.get(field.name) || "";
      if (field.value && field.name !== "q") more.open = true;
      if (field.selectedIndex === -1) field.value = "";
    }
    apply();
    carry();
  };

  let waiting = 0;
  form.addEventListener("input", event => {
    clearTimeout(waiting);
    const typed = event.target.name === "q";
    waiting = setTimeout(() => remember(apply(), !typed), typed ? 120 : 0);
  });
  form.addEventListener("submit", event => {
    event.preventDefault();
    remember(apply(), true);
  });
  form.addEventListener("reset", () => setTimeout(() => {
    remember(apply(), true);
    form.elements.q.focus();
  }));
  window.addEventListener("popstate", restore);
  window.addEventListener("hashchange", restore);
  window.addEventListener("pageshow", restore);

  more.open = window.innerWidth >= 700;
  form.hidden = false;
  restore();
})();
