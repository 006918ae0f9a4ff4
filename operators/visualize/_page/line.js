// A connection to the app that comes back by itself, and that notices when nobody answers any more.

const RETRY = 1000; // ms between attempts to find the app again
const DEAD = 2500; // ms without a word after which a connection is given up; the app sends one a second
const OPENING = 10000; // ms that an attempt may take: an app that is stopped accepts nothing
const LOOK = 250;

export class Line {
  // `hear` gets each message, text as the object that it is; `change` is called when it opens or breaks.
  constructor(path, hear, change) {
    this.path = path;
    this.hear = hear;
    this.change = change;
    this.socket = null;
    this.wanted = false;
    this.heard = this.looked = 0;
    setInterval(() => this.look(), LOOK);
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    this.wanted = true;
    if (this.socket) return;
    const address = new URL(this.path + location.search, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const own = (this.socket = new WebSocket(address));
    own.binaryType = "arraybuffer";
    this.heard = performance.now();
    own.onopen = () => own === this.socket && this.change();
    own.onmessage = ({ data }) => {
      if (own !== this.socket) return;
      this.heard = performance.now();
      const message = typeof data === "string" ? JSON.parse(data) : data;
      if (message.kind !== "alive") this.hear(message);
    };
    own.onclose = () => own === this.socket && this.drop();
  }

  disconnect() {
    this.wanted = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.change();
    setTimeout(() => this.wanted && this.connect(), RETRY);
  }

  look() {
    const now = performance.now();
    const late = now - this.looked > 4 * LOOK; // the page itself was asleep: what was said is yet to be read
    this.looked = now;
    if (this.socket && !late && now - this.heard > (this.open ? DEAD : OPENING)) this.drop();
  }

  send(text) {
    if (this.open) this.socket.send(text);
  }
}
