// Live parameters: a control for each, by its type and bounds.

import { element } from "./elements.js";
import { fill, say, tag } from "./words.js";

const LOOK = 2000; // ms between looks at what others have changed

const shown = new Map(); // by operator and parameter: the control and the value it shows

async function ask(change) {
  const given = change && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(change) };
  const answer = await fetch(`parameters${location.search}`, given || {});
  return answer.json();
}

async function refresh() {
  try {
    show(await ask());
  } catch {
    // The app does not answer: the page says so elsewhere.
  }
}

function show({ fixed, parameters }) {
  element.parameters.hidden = !parameters.length;
  element.fixed.hidden = !fixed;
  for (const one of parameters) {
    const name = `${one.operator}.${one.name}`;
    if (!shown.has(name)) build(name, one, fixed);
    const control = shown.get(name);
    if (control.value !== JSON.stringify(one.value) && !control.row.contains(document.activeElement)) {
      control.value = JSON.stringify(one.value);
      control.put(one.value);
    }
  }
}

function build(name, one, fixed) {
  if (!element.controls.querySelector(`[data-operator="${CSS.escape(one.operator)}"]`)) {
    const group = tag("fieldset", "", tag("legend", "", one.operator));
    group.dataset.operator = one.operator;
    element.controls.append(group);
  }
  const group = element.controls.querySelector(`[data-operator="${CSS.escape(one.operator)}"]`);
  const wrong = tag("p", "wrong");
  wrong.setAttribute("role", "alert");
  const send = async (value) => {
    try {
      const answer = await ask({ operator: one.operator, parameter: one.name, value });
      say(wrong, answer.wrong || "");
      if (!answer.wrong) shown.get(name).value = JSON.stringify(value);
    } catch {
      say(wrong, "the app does not answer");
    }
  };
  const { inputs, put } = make(one.schema, send);
  const row = tag("label", "control", tag("span", "", one.name), ...inputs);
  row.title = one.schema.description || "";
  for (const input of inputs) input.disabled = fixed;
  group.append(row, wrong);
  shown.set(name, { row, put, value: "" });
}

// Return the inputs of a parameter, and how to have them show a value.
function make(schema, send) {
  if (schema.type === "boolean") {
    const box = input("checkbox");
    box.onchange = () => send(box.checked);
    return { inputs: [box], put: (value) => (box.checked = value) };
  }
  if (schema.enum) {
    const list = document.createElement("select");
    fill(list, schema.enum, (value) => new Option(String(value), JSON.stringify(value)));
    list.onchange = () => send(JSON.parse(list.value));
    return { inputs: [list], put: (value) => (list.value = JSON.stringify(value)) };
  }
  const field = input(schema.type === "number" || schema.type === "integer" ? "number" : "text");
  const [low, high] = [schema.minimum ?? schema.exclusiveMinimum, schema.maximum ?? schema.exclusiveMaximum];
  if (field.type === "number") {
    field.step = schema.type === "integer" ? 1 : "any";
    field.onchange = () => field.value !== "" && send(Number(field.value));
    if (low === undefined || high === undefined) return { inputs: [field], put: (value) => (field.value = value) };
    const slider = input("range");
    Object.assign(slider, { min: low, max: high, step: schema.type === "integer" ? 1 : (high - low) / 200 });
    slider.oninput = () => (field.value = slider.value);
    slider.onchange = () => send(Number(slider.value));
    field.addEventListener("change", () => (slider.value = field.value));
    return { inputs: [slider, field], put: (value) => (slider.value = field.value = value) };
  }
  const plain = schema.type === "string";
  field.onchange = () => send(plain ? field.value : parse(field.value));
  return { inputs: [field], put: (value) => (field.value = plain ? value : JSON.stringify(value)) };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text; // refused by the app, with the reason
  }
}

function input(type) {
  const made = document.createElement("input");
  made.type = type;
  return made;
}

element.parameters.onclick = () => {
  const open = element.controls.hidden;
  element.controls.hidden = !open;
  element.parameters.setAttribute("aria-pressed", open);
  if (open) refresh();
};
setInterval(() => element.controls.hidden || document.hidden || refresh(), LOOK);
refresh();
