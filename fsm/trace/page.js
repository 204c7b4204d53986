'use strict';
var tracePage = (function () {
  var rows, svg, map, current;

  function each(list, f) { Array.prototype.forEach.call(list, f); }

  function light(id, name) {
    var e = document.getElementById(id);
    if (e) { e.classList.add(name); }
    return e;
  }

  // follow scrolls the page to the step; the first one leaves the reader at the top.
  function show(n, follow) {
    if (!rows.length) { return; }
    n = Math.max(0, Math.min(rows.length - 1, n));
    if (n === current) { return; }
    current = n;
    each(svg.querySelectorAll('.lit, .here, .now'), function (e) { e.classList.remove('lit', 'here', 'now'); });
    rows.forEach(function (row, i) {
      row.classList.toggle('current', i === n);
      if (i > n) { return; }
      light('state-' + row.dataset.from, 'lit');
      light('state-' + row.dataset.to, 'lit');
      light('edge-' + row.dataset.from + '--' + row.dataset.to, 'lit');
    });
    var row = rows[n];
    light('edge-' + row.dataset.from + '--' + row.dataset.to, 'now');
    var here = light('state-' + row.dataset.to, 'here');
    each(document.querySelectorAll('#details > section'), function (s) { s.hidden = s.id !== row.id.replace('row-', 'step-'); });
    document.getElementById('details').scrollTop = 0;
    document.getElementById('at').textContent = (n + 1) + ' of ' + rows.length;
    if (follow) { row.scrollIntoView({ block: 'nearest' }); }
    if (here) {
      var box = here.getBoundingClientRect(), frame = map.getBoundingClientRect();
      map.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
      map.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
    }
  }

  // begin makes what is in the document now react; a page that grows calls it
  // each time that the content is another.
  function begin() {
    rows = Array.prototype.slice.call(document.querySelectorAll('#steps li[id]'));
    svg = document.querySelector('#map svg');
    map = document.getElementById('map');
    current = -1;
    rows.forEach(function (row, i) {
      row.querySelector('button').addEventListener('click', function () { show(i, true); });
    });
    document.getElementById('back').addEventListener('click', function () { show(current - 1, true); });
    document.getElementById('on').addEventListener('click', function () { show(current + 1, true); });
    each(document.querySelectorAll('[data-step]'), function (link) {
      link.addEventListener('click', function (e) {
        var row = document.getElementById('row-' + link.dataset.step);
        if (!row) { return; }
        show(rows.indexOf(row), false);
        document.getElementById('machine').scrollIntoView();
        e.preventDefault();
      });
    });
  }

  document.addEventListener('keydown', function (e) {
    if (!rows || e.altKey || e.ctrlKey || e.metaKey) { return; }
    switch (e.key) {
      case 'ArrowRight': case 'j': show(current + 1, true); break;
      case 'ArrowLeft': case 'k': show(current - 1, true); break;
      case 'Home': show(0, true); break;
      case 'End': show(rows.length - 1, true); break;
      default: return;
    }
    e.preventDefault();
  });
  // What a reader came for: the last step that was refused, if one was.
  function refused() { return rows.map(function (row) { return row.classList.contains('refused'); }).lastIndexOf(true); }

  return { begin: begin, show: show, refused: refused, at: function () { return current; }, last: function () { return rows.length - 1; } };
})();
