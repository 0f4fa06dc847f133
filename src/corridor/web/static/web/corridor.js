// What the pages gain with JavaScript; each of them is complete without it.
(function () {
  "use strict";

  // Menus close on Escape and on a click elsewhere.
  function closeMenus(except) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (menu !== except) { menu.open = false; }
    });
  }
  document.addEventListener("click", function (event) {
    closeMenus(event.target.closest("details.menu"));
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") { return; }
    var open = document.querySelector("details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });

  // A focused hash is shown whole; copying its selection copies the whole of it.
  document.addEventListener("copy", function (event) {
    var hash = document.activeElement && document.activeElement.closest("[data-copy]");
    if (hash && String(document.getSelection()).length <= hash.dataset.copy.length) {
      event.clipboardData.setData("text/plain", hash.dataset.copy);
      event.preventDefault();
    }
  });

  // Tables below charts sort in place: their rows are all on the page.
  function sortKey(cell) {
    var value = cell.dataset.value;
    if (value === undefined || value === "") { return null; }
    var number = Number(value);
    return Number.isNaN(number) ? value : number;
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") { return a - b; }
    return String(a).localeCompare(String(b), document.documentElement.lang);
  }
  function sortBy(table, column, descending) {
    var body = table.tBodies[0];
    var rows = Array.from(body.rows).map(function (row) { return { row: row, key: sortKey(row.cells[column]) }; });
    rows.sort(function (a, b) {
      if (a.key === null || b.key === null) { return (a.key === null) - (b.key === null); }
      return descending ? compare(b.key, a.key) : compare(a.key, b.key);
    });
    rows.forEach(function (entry) { body.appendChild(entry.row); });
  }
  function makeSortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (heading, column) {
      var button = document.createElement("button");
      var sign = document.createElement("span");
      button.type = "button";
      button.className = "sort";
      sign.className = "sort-sign";
      sign.setAttribute("aria-hidden", "true");
      sign.textContent = " ↕";
      button.append.apply(button, Array.from(heading.childNodes));
      button.appendChild(sign);
      heading.appendChild(button);
      button.addEventListener("click", function () {
        var descending = heading.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("th[aria-sort]").forEach(function (other) {
          other.removeAttribute("aria-sort");
          other.querySelector(".sort-sign").textContent = " ↕";
        });
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sign.textContent = descending ? " ▼" : " ▲";
        sortBy(table, column, descending);
      });
    });
    table.removeAttribute("data-sort-in-place");
  }

  // The interactive chart: library and data are fetched when the button is pressed, not before.
  var library = null;
  function loadLibrary(address) {
    if (!library) {
      library = new Promise(function (resolve, reject) {
        var script = document.createElement("script");
        script.src = address;
        script.onload = function () { resolve(window.corridorChart); };
        script.onerror = function () { library = null; reject(new Error("script")); };
        document.head.appendChild(script);
      });
    }
    return library;
  }
  function theme() {
    return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  function width(frame) {
    if (window.matchMedia("(max-width: 44rem)").matches) { return "narrow"; }
    return window.matchMedia("(max-width: 64rem)").matches ? "half" : frame.dataset.span;
  }
  function toggleChart(button) {
    var frame = button.closest(".frame");
    var picture = frame.querySelector(".frame-picture");
    var live = frame.querySelector(".frame-live");
    if (!live.hidden) {
      live.hidden = true;
      picture.hidden = false;
      button.setAttribute("aria-pressed", "false");
      button.textContent = button.dataset.labelLive;
      return;
    }
    var status = frame.querySelector(".frame-status");
    button.disabled = true;
    status.textContent = button.dataset.labelLoading;
    var address = button.dataset.definition.replace("THEME", theme()).replace("WIDTH", width(frame));
    Promise.all([
      loadLibrary(button.dataset.library),
      fetch(address, { credentials: "same-origin" }).then(function (reply) {
        if (!reply.ok) { throw new Error(String(reply.status)); }
        return reply.json();
      })
    ]).then(function (loaded) {
      return loaded[0](live, loaded[1]);
    }).then(function () {
      live.hidden = false;
      picture.hidden = true;
      button.setAttribute("aria-pressed", "true");
      button.textContent = button.dataset.labelPicture;
      status.textContent = "";
    }).catch(function () {
      status.textContent = button.dataset.labelFailed;
    }).then(function () {
      button.disabled = false;
    });
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button[data-definition]");
    if (button) { toggleChart(button); }
  });

  function enliven(root) {
    root.querySelectorAll("table[data-sort-in-place]").forEach(makeSortable);
    root.querySelectorAll("button[data-definition]").forEach(function (button) { button.hidden = false; });
  }
  document.addEventListener("DOMContentLoaded", function () { enliven(document); });
  document.addEventListener("htmx:afterSwap", function (event) { enliven(event.target); });
})();
