function fare(plate) {
  if (!plate.endsWith('1')) throw new Error('no fare for ' + plate);
  return 12.5;
}
