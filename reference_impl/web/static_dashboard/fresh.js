// Keeps the page honest while it stays open: the age grows, the warning appears by itself, and every minute the numbers are
// fetched anew. Without this script the page is complete, and as old as it says.
"use strict";

let began = performance.now();

function ago(seconds) {
  if (seconds < 120) return `${seconds} s ago`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
}

function tick() {
  const numbers = document.getElementById("numbers");
  if (numbers.dataset.ageS === "") return;
  const age = Math.floor(Number(numbers.dataset.ageS) + (performance.now() - began) / 1000);
  document.getElementById("age").textContent = ago(age);
  if (age > Number(numbers.dataset.staleAfterS)) document.getElementById("stale").hidden = false;
}

async function renew() {
  if (document.hidden || document.activeElement?.closest("#numbers")) return; // never under somebody's fingers
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (answer.redirected) return location.reload(); // the session is over
    if (!answer.ok) return; // the age goes on growing, which says it all
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = document.querySelector("#by-day[open]") !== null;
    document.getElementById("numbers").replaceWith(page.getElementById("numbers"));
    if (open) document.getElementById("by-day")?.setAttribute("open", "");
    began = performance.now();
    tick();
  } catch {
    // offline: likewise
  }
}

setInterval(tick, 1000);
setInterval(renew, 60000);
