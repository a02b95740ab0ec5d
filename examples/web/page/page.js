"use strict";

const list = document.querySelector("#seats");
const state = document.querySelector("#state");
const answer = document.querySelector("#answer");
const guest = document.querySelector("#guest");
const buttons = new Map();

function button(name) {
  if (!buttons.has(name)) {
    const made = document.createElement("button");
    made.type = "button";
    made.dataset.seat = name;
    made.addEventListener("click", () => {
      made.setAttribute("aria-pressed", made.getAttribute("aria-pressed") !== "true");
    });
    const item = document.createElement("li");
    item.append(made);
    list.append(item);
    buttons.set(name, made);
  }
  return buttons.get(name);
}

function show(name, owner) {
  const shown = button(name);
  shown.disabled = owner !== null;
  shown.dataset.guest = owner ?? "";
  if (owner !== null) shown.setAttribute("aria-pressed", "false");
  shown.textContent = owner ?? name;
  shown.title = owner === null ? `${name} is free` : `${name}: ${owner}`;
  mark();
}

function mark() {
  for (const shown of buttons.values()) {
    shown.classList.toggle("mine", shown.dataset.guest !== "" && shown.dataset.guest === guest.value);
  }
}

function say(text, away) {
  state.textContent = text;
  state.classList.toggle("away", away);
}

const stream = new EventSource("stream");
stream.addEventListener("seats", (event) => {
  for (const [name, owner] of Object.entries(JSON.parse(event.data))) show(name, owner);
});
stream.addEventListener("state", (event) => {
  const live = JSON.parse(event.data).live;
  say(live ? "live" : "the database is away: what you see may be old", !live);
});
stream.addEventListener("error", () => say("reconnecting to the web server", true));

async function send(path, form) {
  answer.textContent = "";
  try {
    const reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(form),
    });
    if (!reply.ok) answer.textContent = await reply.text();
  } catch {
    answer.textContent = "the web server cannot be reached";
  }
}

document.querySelector("#form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const seats = [...list.querySelectorAll("[aria-pressed=true]")].map((each) => each.dataset.seat);
  await send("take", { guest: guest.value, seats });
});
document.querySelector("#give-back").addEventListener("click", () => send("give-back", { guest: guest.value }));
guest.addEventListener("input", mark);
