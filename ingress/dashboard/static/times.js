// Keeps relative times right, and names the absolute time in UTC and in the reader's zone.
// The words are those of `duration` in ingress/dashboard/rendering.py.
const local = new Intl.DateTimeFormat("en-CA", {
  dateStyle: "short", timeStyle: "medium", hourCycle: "h23",
});
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function duration(seconds) {
  if (seconds < 60) return `${Math.trunc(seconds)} s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${hours} h`;
  return hours % 24 ? `${Math.trunc(hours / 24)} d ${hours % 24} h` : `${Math.trunc(hours / 24)} d`;
}

export function relative(moment, now) {
  const seconds = (now - moment) / 1000;
  return seconds >= 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

export function clock(moment) {
  return moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function refresh() {
  const now = new Date();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const text = relative(moment, now);
    if (time.textContent !== text) time.textContent = text;
    if (!time.dataset.absolute) {
      time.dataset.absolute = `${time.title} · ${local.format(moment).replace(",", "")} ${zone}`;
      time.removeAttribute("title");
    }
  }
}

export function keepTimes() {
  refresh();
  setInterval(refresh, 5000);
  document.addEventListener("htmx:after:swap", refresh);
}
