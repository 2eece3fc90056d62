(() => {
  // Filter: every word must be somewhere in what a row or case is.
  const bar = document.getElementById('filter');
  const [box, said] = [bar.querySelector('input'), bar.querySelector('output')];
  const found = [...document.querySelectorAll('[data-find]')];
  const rows = found.filter(one => one.matches('table.cases tr'));
  bar.hidden = false;
  box.addEventListener('input', () => {
    const words = box.value.toLowerCase().replace(/\bring\s+(?=\d)/g, 'ring')
      .replace(/\bnot\s+comparable/g, 'not-comparable').split(/\s+/).filter(Boolean);
    for (const one of found) one.hidden = !words.every(word => one.dataset.find.includes(word));
    const left = rows.filter(row => !row.hidden).length;
    said.textContent = words.length ? `${left} of ${rows.length} rows match` : '';
  });

  // Open and close all cases.
  const [open, close] = bar.querySelectorAll('button');
  open.hidden = close.hidden = !document.querySelector('details.case');
  const all = (state) => document.querySelectorAll('details.case:not([hidden])')
    .forEach(part => { part.open = state; });
  open.addEventListener('click', () => all(true));
  close.addEventListener('click', () => all(false));

  // Sort: a button in each column's head; rows without a value come last.
  const key = (row, column) => {
    const cell = row.cells[column];
    return 'v' in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim();
  };
  const order = (a, b, up) => {
    const missing = (a === '-') - (b === '-');
    if (missing || a === b) return missing;
    const by = typeof a === 'number' && typeof b === 'number' ? a - b
      : String(a).localeCompare(String(b), 'en', { numeric: true });
    return up ? by : -by;
  };
  for (const table of document.querySelectorAll('table.sort')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement('button');
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const up = head.getAttribute('aria-sort') !== 'ascending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        const body = table.tBodies[0];
        const sorted = [...body.rows].filter(row => !row.classList.contains('rest'))
          .sort((a, b) => order(key(a, column), key(b, column), up));
        body.prepend(...sorted);
      });
    });
  }

  // A link to a case opens it.
  const show = () => {
    const part = document.getElementById(location.hash.slice(1))?.closest('details');
    if (part) { part.open = true; part.scrollIntoView(); part.querySelector('summary').focus(); }
  };
  addEventListener('hashchange', show);
  show();
})();
