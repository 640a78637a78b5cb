"use strict";
// The contract that the tests create: it stores, pays, logs, fails and never ends.
function init(input) {
  Utils.assert(input !== "fail", "init refused");
  Chain.store("name", input);
  return true;
}

function main(input) {
  let words = input.split(" ");
  if (words[0] === "store") {
    Chain.store("name", words[1]);
  } else if (words[0] === "pay") {
    Chain.payCoin(words[1], "9");
  } else if (words[0] === "log") {
    Chain.tlog("topic", "武汉", "1");
  } else if (words[0] === "fail") {
    Chain.store("name", "lost");
    Utils.assert(false, "main refused");
  } else if (words[0] === "endless") {
    while (true) {
      words.length;
    }
  }
}

function query(input) {
  Utils.assert(input !== "fail", "query refused");
  if (input === "write") {
    Chain.store("name", "written by a query");
  } else if (input === "number") {
    return 7;
  } else if (input === "endless") {
    while (true) {
      input.length;
    }
  }
  return Chain.load(input);
}
