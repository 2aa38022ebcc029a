'use strict';
const ANSWER_CHARS_MAX = 20000;

function element(name, words, parent) {
  const made = document.createElement(name);
  if (words) made.textContent = words;
  if (parent) parent.append(made);
  return made;
}

function field(parameter, form) {
  const label = element('label', '', form);
  const shape = parameter.schema ?? {};
  element('span', parameter.name + (parameter.required ? ' *' : ''), label);
  const input = element('input', '', label);
  const example = shape.examples?.[0] ?? parameter.example;
  if (parameter.required && example !== undefined) input.value = example;
  input.placeholder = String(shape.default ?? '');
  if (parameter.description) element('small', ` ${parameter.description}`, label);
  return input;
}

function address(path, parameters, inputs) {
  const query = new URLSearchParams();
  parameters.forEach((parameter, at) => {
    const value = inputs[at].value;
    if (value === '') return;
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else query.set(parameter.name, value);
  });
  return query.size ? `${path}?${query}` : path;
}

async function ask(target, output) {
  output.textContent = `GET ${target}`;
  const answer = await fetch(target);
  const text = await answer.text();
  let shown = text;
  if ((answer.headers.get('content-type') ?? '').includes('json')) {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  }
  const took = answer.headers.get('x-query-time-ms');
  const head = `GET ${target}\n${answer.status} ${answer.statusText}${took ? `, query ${took} ms` : ''}`;
  output.textContent = `${head}\n\n${shown.slice(0, ANSWER_CHARS_MAX)}`;
}

function operation(method, path, told, list) {
  const box = element('details', '', list);
  const summary = element('summary', '', box);
  element('b', method.toUpperCase(), summary);
  element('code', path, summary);
  element('p', told.description ?? told.summary ?? '', box);
  if (method !== 'get') return;
  const form = element('form', '', box);
  const parameters = told.parameters ?? [];
  const inputs = parameters.map((parameter) => field(parameter, form));
  element('button', 'Ask', form);
  const output = element('pre', '', box);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    ask(address(path, parameters, inputs), output).catch((error) => {
      output.textContent = String(error);
    });
  });
}

async function start() {
  const told = await (await fetch('/openapi.json')).json();
  document.getElementById('about').textContent = `Version ${told.info.version}. ${told.info.description}`;
  const list = document.getElementById('operations');
  for (const [path, methods] of Object.entries(told.paths)) {
    for (const [method, one] of Object.entries(methods)) operation(method, path, one, list);
  }
}

start().catch((error) => {
  document.getElementById('about').textContent = `The description cannot be read: ${error}`;
});
