"use strict";

// What comes from the server is put into the page as text, and as a value of one style property:
// never as HTML or as CSS.

const PALETTE = ["red", "orange", "gold", "limegreen", "teal", "dodgerblue", "orchid"];
const REOPEN_AFTER = 2000; // ms

const main = document.querySelector("main");
const squares = document.querySelector("#squares");
const state = document.querySelector("#state");
const message = document.querySelector("#message");
const count = document.querySelector("#count");
let keeps = Infinity;
let scrolling = false;

// ---- the stream

// EventSource reconnects by itself, and then tells the id of the last event it had, so that the
// server goes on after it.
function open() {
  const source = new EventSource("squares");
  const on = (event, handle) =>
    source.addEventListener(event, ({ data }) => handle(JSON.parse(data)));

  on("start", (start) => {
    keeps = start.keeps;
    if (!start.resumed) {
      squares.replaceChildren();
      count.textContent = "";
    }
  });
  on("listener", ({ listening, attempts }) => {
    if (listening) {
      say("listening", "listening");
    } else {
      say("waiting", `reconnecting to PostgreSQL (attempt ${attempts})`);
    }
  });
  on("square", ({ name, code, number }) => {
    add(tile(name, code));
    document.querySelector("#example").textContent = name;
    count.textContent = number === 1 ? "1 square" : `${number} squares`;
  });
  on("refused", ({ text }) => {
    message.textContent = `Somebody sent ${text}: no colour.`;
  });
  source.onerror = () => {
    say("away", "reconnecting to the web server");
    if (source.readyState === EventSource.CLOSED) {
      // The answer was no event stream: from something else at this address, and not for good.
      setTimeout(open, REOPEN_AFTER);
    }
  };
}

function say(kind, text) {
  state.className = kind;
  state.firstElementChild.textContent = text;
}

function tile(name, code) {
  const item = document.createElement("li");
  const box = item.appendChild(document.createElement("span"));
  const label = item.appendChild(document.createElement("span"));
  box.className = "tile";
  box.style.backgroundColor = code;
  label.className = "name";
  label.textContent = name;
  return item;
}

function add(item) {
  stayAtEnd();
  squares.append(item);
  while (squares.children.length > keeps) {
    squares.firstElementChild.remove();
  }
}

// Who looks at the newest square goes on to do so. Once a frame: it makes the browser lay out.
function stayAtEnd() {
  if (scrolling) {
    return;
  }
  scrolling = true;
  const atEnd = main.scrollTop + main.clientHeight >= main.scrollHeight - 50;
  requestAnimationFrame(() => {
    scrolling = false;
    if (atEnd) {
      main.scrollTop = main.scrollHeight;
    }
  });
}

// ---- sending

async function send(colour) {
  message.textContent = "";
  try {
    const answer = await fetch("squares", { method: "POST", body: new URLSearchParams({ colour }) });
    if (!answer.ok) {
      message.textContent = (await answer.text()).trim();
    }
    return answer.ok;
  } catch {
    message.textContent = "The web server does not answer.";
    return false;
  }
}

document.querySelector("#send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = event.target.elements.colour;
  if (await send(input.value)) {
    input.value = "";
  }
});

for (const name of PALETTE) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = name;
  button.setAttribute("aria-label", `Send ${name}`);
  button.style.backgroundColor = name;
  button.addEventListener("click", () => send(name));
  document.querySelector("#palette").append(button);
}

open();
