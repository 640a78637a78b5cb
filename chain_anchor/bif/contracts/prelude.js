// What a contract finds when it starts: `Chain`, `Utils`, and nothing that could give
// another result elsewhere (bif notes §2.10).
//
// This runs once for all contracts; each call starts from a copy of the memory after it.
// A contract's script is put between `__enter__` and `__leave__`, with `__step__` in
// each function and loop. All functions of the chain are one question to the host:
//
//     [steps left, name, argument, ...]  ->  {"left": steps left, "value" or "error": ...}
//
// Contracts may change what they find. So nothing here looks up a built-in again, calls a
// method, or has JSON write anything but a text.
"use strict";
(function () {
  const host = globalThis.__host__;
  const parse = JSON.parse;
  const stringify = JSON.stringify;
  const freeze = Object.freeze;
  const define = Object.defineProperty;
  const text = String;
  const Failure = Error;

  const READING = {
    load: true, getBlockHash: true, getAccountMetadata: true, getBalance: true,
    getAccountPrivilege: true, getContractProperty: true, delegateQuery: true,
    contractQuery: true, isValidator: true
  };
  const WRITING = {
    store: true, del: true, tlog: true, payCoin: true, delegateCall: true,
    contractCall: true, contractCreate: true
  };
  const CALCULATING = {
    stoI64Check: true, int64Add: true, int64Sub: true, int64Mul: true, int64Mod: true,
    int64Div: true, int64Compare: true, assert: true, sha256: true, toBaseUnit: true,
    addressCheck: true, toAddress: true
  };

  let entered = false;
  let left = 0;
  let thrownAt = 0;
  let failedAt = "";

  // Texts, numbers and truth values cross; anything else is null.
  function encode(value) {
    if (typeof value === "string") {
      return stringify(value);
    }
    if (typeof value === "number") {
      return '{"number":"' + value + '"}';
    }
    return value === true ? "true" : value === false ? "false" : "null";
  }

  // What the chain throws is a text, which has no stack: one is kept beside it.
  function fail(message) {
    failedAt = new Failure("").stack;
    throw message;
  }

  function ask(name, values) {
    let question = "[" + left + "," + stringify(name);
    for (let index = 0; index < values.length; index += 1) {
      question += "," + encode(values[index]);
    }
    const reply = parse(host(question + "]"));
    left = reply.left;
    if (reply.error !== undefined) {
      fail(reply.error);
    }
    return reply.value;
  }

  function expose(target, names) {
    for (const name in names) {
      target[name] = {[name](...values) { return ask(name, values); }}[name];
    }
  }

  function step() {
    left -= 1;
    if (left < 0) {
      ask("expire", []);
    }
    return true;
  }
  // Where no statement fits, an assignment does: `x => (__step__.at = 3, f(x))` would
  // need its end to be found.
  define(step, "on", {set(ignored) { step(); }});
  define(step, "line", {set(line) { thrownAt = line; failedAt = ""; }});
  define(globalThis, "__step__", {value: freeze(step)});

  globalThis.__enter__ = function (given) {
    if (entered) {
      return;
    }
    entered = true;
    left = given.left;
    const chain = {
      block: freeze(given.block), tx: freeze(given.tx), msg: freeze(given.msg),
      thisAddress: given.thisAddress, chainCode: given.chainCode
    };
    expose(chain, READING);
    if (given.writing) {
      expose(chain, WRITING);
    }
    const utils = {log(info) { ask("log", [text(info)]); }};
    expose(utils, CALCULATING);
    define(globalThis, "Chain", {value: freeze(chain)});
    define(globalThis, "Utils", {value: freeze(utils)});
  };

  function described(thrown) {
    let exception = "";
    let stack = "";
    try {
      exception = text(thrown);
      stack = thrown instanceof Failure ? text(thrown.stack) : failedAt;
    } catch (unreadable) {
      exception = exception === "" ? "exception without a text" : exception;
    }
    return '{"left":' + left + ',"exception":' + stringify(exception) +
      ',"stack":' + stringify(stack) + ',"line":' + thrownAt + "}";
  }

  globalThis.__leave__ = function (name, entry, input) {
    if (typeof entry !== "function") {
      return '{"left":' + left + ',"lost":' + stringify(name) + "}";
    }
    try {
      const value = encode(entry(input));
      return '{"left":' + left + ',"value":' + value + "}";
    } catch (thrown) {
      return described(thrown);
    }
  };

  for (const name of [
    "Math", "Date", "eval", "Function", "Promise", "Proxy", "Reflect", "Intl", "Atomics",
    "WeakMap", "WeakSet", "WeakRef", "FinalizationRegistry", "SharedArrayBuffer",
    "queueMicrotask", "performance", "navigator", "console", "print", "gc",
    "decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent", "escape",
    "unescape", "__host__"
  ]) {
    delete globalThis[name];
  }
  delete String.prototype.localeCompare;
  for (const made of [function () {}, function* () {}, async function () {},
    async function* () {}]) {
    define(Object.getPrototypeOf(made), "constructor", {value: undefined});
  }
}());
