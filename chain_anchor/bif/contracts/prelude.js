// What a contract finds when it starts: `Chain`, `Utils`, and nothing that could give
// another result elsewhere (bif notes §2.10).
//
// This runs once for all contracts. Then a contract's script, as the function
// `__contract__` with `__step__` in its functions and loops, is compiled and not called;
// each call starts from a copy of the memory after that, and is made by `__run__`.
// All functions of the chain are one question to the host:
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

  define(fail, "name", {value: "chain.fail"});

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

  // Names with "chain." are left out of the stacks that errors show.
  define(ask, "name", {value: "chain.ask"});

  function expose(target, names) {
    for (const name in names) {
      target[name] = function (...values) { return ask(name, values); };
      define(target[name], "name", {value: "chain." + name});
    }
  }

  function step() {
    left -= 1;
    if (left < 0) {
      ask("expire", []);
    }
    return true;
  }
  // Before an expression whose end is not known, an assignment fits: `x => __step__.on=x`.
  define(step, "name", {value: "chain.step"});
  define(step, "on", {set(ignored) { step(); }});
  define(step, "line", {set(line) { thrownAt = line; failedAt = ""; }});
  define(globalThis, "__step__", {value: freeze(step)});

  // `Chain` and `Utils` for one call.
  function equip(given) {
    const chain = {
      block: freeze(given.block), tx: freeze(given.tx), msg: freeze(given.msg),
      thisAddress: given.thisAddress, chainCode: given.chainCode
    };
    expose(chain, READING);
    if (given.writing) {
      expose(chain, WRITING);
    }
    const utils = {};
    expose(utils, CALCULATING);
    utils.log = function (info) { ask("log", [text(info)]); };
    define(utils.log, "name", {value: "chain.log"});
    define(globalThis, "Chain", {value: freeze(chain)});
    define(globalThis, "Utils", {value: freeze(utils)});
  }

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

  function run(given, input) {
    const contract = globalThis.__contract__;
    delete globalThis.__run__;
    delete globalThis.__contract__;
    left = given.left;
    equip(given);
    try {
      const entry = contract()[given.entry];
      if (entry === undefined) {
        return '{"left":' + left + ',"lost":true}';
      }
      const value = encode(entry(input));
      return '{"left":' + left + ',"value":' + value + "}";
    } catch (thrown) {
      return described(thrown);
    }
  }
  define(run, "name", {value: "chain.run"});
  define(globalThis, "__run__", {configurable: true, value: run});

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
