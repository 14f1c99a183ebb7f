// Returns a few elements of each way in which a page writes on a ground, for axe's rule of contrasts: it needs
// milliseconds for each element, and a table of a hundred rows has the same contrasts as one of three.
() => {
  const MOST = 2;
  const UNJUDGED = ":disabled, [aria-disabled=true], label:has(:disabled)";
  const grounds = new Map([[null, ""]]);
  const ground = (element) => {
    if (!grounds.has(element)) {
      const { backgroundColor, backgroundImage, opacity, filter, position } = getComputedStyle(element);
      const own = [backgroundColor, backgroundImage, opacity, filter, position, element.matches(UNJUDGED)];
      grounds.set(element, own.join() + ground(element.parentElement));
    }
    return grounds.get(element);
  };
  const found = new Map();
  for (const element of document.body.querySelectorAll("*")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!(hasText || element.matches("input, textarea, select")) || !element.checkVisibility()) continue;
    const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
    const way = [element.localName, color, fontSize, fontWeight, textShadow, ground(element)].join();
    found.set(way, [...(found.get(way) ?? []), element].slice(0, MOST));
  }
  return { include: [...found.values()].flat() };
}
