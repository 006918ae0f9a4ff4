// The parts of the page that scripts fill, by their ids, and the switches of what is drawn.

const named = (selector, name) => Object.fromEntries([...document.querySelectorAll(selector)].map((e) => [e[name], e]));

export const element = named("[id]", "id");
export const switches = named("input", "name");
