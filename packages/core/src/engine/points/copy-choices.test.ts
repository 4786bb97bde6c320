import { describe, expect, it } from 'vitest'
import type { PointView } from './catalog-view.ts'
import { sequenceThere } from './copy-choices.ts'

/** `id`: of one letter; points are as old as their letters say. */
function view(id: string, sequence: number): PointView {
  const row = { pointId: id, folder: `w/${id}`, sequence, createdAt: id.charCodeAt(0) * 1000 } as PointView['current']
  return { current: row, rows: [row] }
}

const source = [view('e', 5), view('d', 4), view('c', 3), view('b', 2), view('a', 1)]
const placeOf = (id: string, there: readonly PointView[], from = source) =>
  sequenceThere(from, there, from.find(({ current }) => current.pointId === id) as PointView)

describe('the place of a copied point among those that are there', () => {
  it('is its own as long as one repository is copied from', () => {
    expect(placeOf('c', [])).toBe(3)
    expect(placeOf('e', [view('d', 4), view('a', 1)])).toBe(5)
    expect(placeOf('b', [view('d', 4), view('a', 1)])).toBe(2)
    expect(placeOf('a', [view('d', 4), view('c', 3)])).toBe(1)
  })

  it('is the one it has when it is there already, so that its children stay above it', () => {
    expect(placeOf('b', [view('c', 9), view('b', 8)])).toBe(8)
  })

  it('is above all that are older, also when those were counted elsewhere', () => {
    expect(placeOf('e', [view('d', 40), view('A', 39)])).toBe(41)
    expect(placeOf('a', [view('B', 17), view('A', 16)])).toBe(18)
  })

  it('is between two that were counted elsewhere, and beside the younger one when there is no room', () => {
    expect(placeOf('c', [view('d', 40), view('b', 30)])).toBe(31)
    expect(placeOf('c', [view('d', 31), view('b', 30)])).toBe(31)
  })

  it('is by the name of the folder for two that were planned at once', () => {
    const twins = [view('d', 3), view('c', 3), view('b', 2)]
    expect(placeOf('d', [view('c', 3)], twins)).toBe(4)
    expect(placeOf('c', [view('d', 3), view('b', 2)], twins)).toBe(3)
  })
})
