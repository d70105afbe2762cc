// Events by fetch and not by EventSource, for that cannot send the token. Ends when the server does, and begins again.

const RETRY_MS = 1000;
// The server sends one a second: a connection that says nothing for so long is dead, whatever the network believes.
const SILENT_MS = 8000;

export class Refused extends Error {}

// A token in the fragment is never sent to a server by the browser; from there it goes out of sight.
let token = sessionStorage.getItem("token");
if (location.hash.startsWith("#token=")) {
  setToken(decodeURIComponent(location.hash.slice(7)));
  history.replaceState(null, "", location.pathname);
}

export function setToken(text) {
  token = text;
  sessionStorage.setItem("token", text);
}

export async function ask(path, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { headers, signal });
  if (response.status === 401) throw new Refused();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response;
}

// Calls `event` with each object, `began` at each connection, `lost` when there is none. Ends with Refused.
export async function follow({ event, began, lost }) {
  for (;;) {
    const stop = new AbortController();
    let timer = setTimeout(() => stop.abort(), SILENT_MS);
    try {
      const response = await ask("events", stop.signal);
      await began();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(() => stop.abort(), SILENT_MS);
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) if (block.startsWith("data: ")) event(JSON.parse(block.slice(6)));
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    } finally {
      clearTimeout(timer);
    }
    lost();
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}
