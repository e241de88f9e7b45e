// A network on this machine: machines in network namespaces of their own, each joined to a router by a link. Programs run
// on a machine; what is sent between machines can be made to vanish without a word, as on a network that is cut.
//
//     machine 1  10.77.1.2 ── 10.77.1.1 ┐
//     machine 2  10.77.2.2 ── 10.77.2.1 ┤ router        cut: it drops what comes from a machine, what goes to it, or both
//     machine 3  10.77.3.2 ── 10.77.3.1 ┘
//
// Nothing of it is seen outside of its namespaces, so several networks may be there at once. It needs Linux, root,
// iproute2 and setpriv.
//
// Invariant: whatever ends this process, SIGKILL included, the namespaces go, and with them what still runs in them. A
// shell of its own session watches for that: its input is a pipe from this process, and so it ends with this process.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ordinaryUser } from './ordinary-user.mjs';

const WATCHDOG = `
trap '' INT TERM HUP
cat > /dev/null
for name in $(ip netns list | cut -d ' ' -f 1); do
  case "$name" in "$1"-*) ;; *) continue ;; esac
  pids=$(ip netns pids "$name")
  [ -z "$pids" ] || kill -KILL $pids 2> /dev/null
  ip netns delete "$name"
done
`;

/** The lines of `pg_hba.conf` for servers on a network. */
export const NETWORK_HBA = `
host replication all 10.77.0.0/16 trust
host all all 10.77.0.0/16 scram-sha-256
`;

let networks = 0;

const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** A machine of a network. */
class Machine {
  #namespace;

  constructor(namespace, number) {
    this.#namespace = namespace;
    this.number = number;
    this.address = `10.77.${number}.2`;
  }

  /** The command that runs a command on this machine; its process is that of the command. */
  command(...command) {
    return ['ip', 'netns', 'exec', this.#namespace, ...command];
  }

  /** The same as the user that runs servers. */
  commandOfUser(...command) {
    const { uid, gid } = ordinaryUser();
    return this.command('setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...command);
  }
}

export class Network {
  #prefix = `ps${process.pid}n${++networks}`;
  #router = `${this.#prefix}-router`;
  #watchdog;
  #count = 0;

  constructor() {
    this.#watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', this.#prefix], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#watchdog.unref();
    this.#watchdog.stdin.unref();
    this.#watchdog.stdin.on('error', () => {});
  }

  /** Makes the router. */
  up() {
    ip('netns', 'add', this.#router);
    const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward';
    ip('netns', 'exec', this.#router, '/bin/sh', '-c', forward);
  }

  /** A new machine. */
  machine() {
    const number = ++this.#count;
    const namespace = `${this.#prefix}-${number}`;
    const [link, gateway] = [`link${number}`, `10.77.${number}.1`];
    const machine = new Machine(namespace, number);
    ip('netns', 'add', namespace);
    ip('-n', this.#router, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('-n', this.#router, 'address', 'add', `${gateway}/30`, 'dev', link);
    ip('-n', this.#router, 'link', 'set', link, 'up');
    ip('-n', namespace, 'address', 'add', `${machine.address}/30`, 'dev', 'eth0');
    for (const device of ['lo', 'eth0']) ip('-n', namespace, 'link', 'set', device, 'up');
    ip('-n', namespace, 'route', 'add', 'default', 'via', gateway);
    return machine;
  }

  /** From now on, what a machine sends vanishes (`from`), or what is sent to it (`to`), or both. */
  cut(machine, ...directions) {
    for (const direction of directions) this.#set('add', machine, direction);
  }

  /** Ends such a cut. */
  mend(machine, ...directions) {
    for (const direction of directions) this.#set('delete', machine, direction);
  }

  #set(action, { address }, direction) {
    if (direction === 'from') ip('-n', this.#router, 'rule', action, 'from', address, 'blackhole');
    else if (direction === 'to') ip('-n', this.#router, 'route', action, 'blackhole', `${address}/32`);
    else throw new Error(`a cut of '${direction}': give 'from' or 'to'`);
  }

  /** Ends what still runs there, and removes it. */
  async remove() {
    if (this.#watchdog.exitCode !== null) return;
    this.#watchdog.ref();
    const ended = once(this.#watchdog, 'exit');
    this.#watchdog.stdin.end();
    await ended;
  }
}

/** Starts a network without machines. */
export async function startNetwork() {
  const network = new Network();
  try {
    network.up();
    return network;
  } catch (error) {
    await network.remove();
    throw error;
  }
}

/** Why no network can be made here, in one line; false where one can. */
export async function whyNoNetwork() {
  if (process.platform !== 'linux') return 'network namespaces are of Linux alone';
  if (process.getuid() !== 0) return 'network namespaces need root';
  let network;
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' });
    network = await startNetwork();
    const machine = network.machine();
    network.cut(machine, 'from', 'to');
    return false;
  } catch (error) {
    if (error.code === 'ENOENT')
      return `${error.path} is not installed: install Debian's iproute2 and util-linux`;
    return `network namespaces cannot be made here: ${String(error.stderr || error.message).split('\n')[0]}`;
  } finally {
    await network?.remove();
  }
}
