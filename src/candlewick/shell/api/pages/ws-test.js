'use strict';
const LINES_MAX = 200;
const at = (id) => document.getElementById(id);
let socket = null;
let lines = [];
let count = 0;

function show(line) {
  lines.unshift(line);
  lines = lines.slice(0, LINES_MAX);
  at('log').textContent = lines.join('\n');
}

function state(words, open) {
  at('state').textContent = words;
  at('connect').disabled = open;
  at('disconnect').disabled = !open;
}

at('connect').addEventListener('click', () => {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  socket = new WebSocket(`${scheme}//${location.host}${at('path').value}`);
  state('connecting', true);
  socket.onopen = () => state('connected', true);
  socket.onclose = (event) => state(`closed (${event.code})`, false);
  socket.onmessage = (event) => {
    count += 1;
    at('count').textContent = String(count);
    show(event.data);
  };
});
at('disconnect').addEventListener('click', () => socket?.close());
at('send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket?.readyState === WebSocket.OPEN) socket.send(at('message').value);
});
