// Outlines of a mask along the edges of its voxels, as closed loops.

/**
 * Return the loops [x0, y0, x1, y1, ...] around all places of a plane where inside(place) holds.
 * Corners are whole numbers: (0, 0) is the upper left of the first voxel.
 */
function outlines(rows, columns, inside) {
  const wide = columns + 1;
  // Of each corner, the directions that an edge leaves it in with the mask on its right.
  const leaving = new Map();
  const add = (corner, direction) => {
    const others = leaving.get(corner);
    if (others) others.push(direction);
    else leaving.set(corner, [direction]);
  };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = row * columns + column;
      if (!inside(place)) continue;
      const corner = row * wide + column;
      if (row === 0 || !inside(place - columns)) add(corner, 0); // east above it
      if (column === columns - 1 || !inside(place + 1)) add(corner + 1, 1); // south at its right
      if (row === rows - 1 || !inside(place + columns)) add(corner + wide + 1, 2); // west below it
      if (column === 0 || !inside(place - 1)) add(corner + wide, 3); // north at its left
    }
  }
  const step = [1, wide, -1, -wide];
  const loops = [];
  while (leaving.size) {
    const first = leaving.keys().next().value;
    const loop = [];
    let corner = first;
    let heading = -1;
    do {
      const ways = leaving.get(corner);
      // Where two voxels touch at a corner only, turn right: they stay apart.
      const right = ways.indexOf((heading + 1) % 4);
      const way = ways.splice(ways.length > 1 && heading >= 0 && right >= 0 ? right : 0, 1)[0];
      if (!ways.length) leaving.delete(corner);
      if (way !== heading) loop.push(corner % wide, Math.floor(corner / wide));
      heading = way;
      corner += step[way];
    } while (corner !== first);
    loops.push(loop);
  }
  return loops;
}
