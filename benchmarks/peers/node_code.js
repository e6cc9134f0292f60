// Node: read lines, parse, call one function per event, write three columns. INPUT OUTPUT
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const vm = require('vm');

const source = fs.readFileSync(path.join(__dirname, '..', 'functions', 'hex.js'), 'utf8');
const hex = vm.runInThisContext(`(${source})`);
const input = fs.createReadStream(process.argv[2], { highWaterMark: 1 << 20 });
const out = fs.openSync(process.argv[3], 'w');
let buffer = '';

readline.createInterface({ input, crlfDelay: Infinity })
    .on('line', (line) => {
        const e = JSON.parse(line);
        buffer += JSON.stringify({ zone: e.zone, code: hex(e.card), fare: e.fare }) + '\n';
        if (buffer.length > 65536) {
            fs.writeSync(out, buffer);
            buffer = '';
        }
    })
    .on('close', () => {
        fs.writeSync(out, buffer);
        fs.closeSync(out);
    });
