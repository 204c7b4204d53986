(function () {
  var place = document.getElementById('live'), status = document.getElementById('live-status'), shown = false;
  var source = new EventSource('events');

  function opened() { return Array.prototype.slice.call(document.querySelectorAll('#conversation li details')); }

  // The reader keeps what they opened and where they are; one who looks at the
  // newest step goes on with the newest.
  source.addEventListener('page', function (e) {
    var before = opened().map(function (d) { return d.open; });
    var at = -1, newest = true, x = window.scrollX, y = window.scrollY;
    if (shown) { at = tracePage.at(); newest = at === tracePage.last(); }
    place.innerHTML = JSON.parse(e.data);
    opened().forEach(function (d, i) { d.open = d.open || before[i] === true; });
    tracePage.begin();
    shown = true;
    status.textContent = 'The run is under way, and this page follows it.';
    tracePage.show(tracePage.refused() >= 0 && newest ? tracePage.refused() : newest ? tracePage.last() : at, newest);
    window.scrollTo(x, y);
  });
  source.addEventListener('end', function (e) {
    source.close();
    status.textContent = JSON.parse(e.data);
  });
  source.onerror = function () {
    source.close();
    status.textContent = 'The program has stopped. What is below stays.';
  };
})();
