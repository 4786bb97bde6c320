import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { HoldfastError } from '../spec/errors.ts'
import { parseStrict } from '../spec/helpers/parse-options.ts'
import { describeDuration, durationSchema, parseDuration } from './duration.ts'
import { toJsonSchema } from './schemas.ts'

describe('duration', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['36h', 129_600_000],
    ['30d', 2_592_000_000],
    ['0s', 0],
    ['36500d', 3_153_600_000_000],
    [1500, 1500],
    [0, 0],
  ])('reads %s', (written, milliseconds) => {
    expect(parseDuration(written)).toBe(milliseconds)
    expect(durationSchema.parse(written)).toBe(milliseconds)
    expect(durationSchema.parse(milliseconds)).toBe(milliseconds)
  })

  it.each(['', '15', '15 m', ' 15m', '15M', '15min', '1.5h', '-1h', '1h30m', 'h', '1w', '٣h', '36501d', '999999999999d'])(
    'refuses %j',
    (written) => {
      expect(parseDuration(written)).toBeUndefined()
    },
  )
  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, undefined, true, {}])('refuses %s', (written) => {
    expect(parseDuration(written)).toBeUndefined()
    expect(durationSchema.safeParse(written).success).toBe(false)
  })

  it('names the path and the value', () => {
    const schema = z.strictObject({ within: durationSchema })
    for (const [within, shown] of [
      ['2 weeks', '"2 weeks"'],
      [-5, '-5'],
      [true, 'true'],
    ]) {
      try {
        parseStrict(schema, { within }, 'plan "nightly"')
        expect.unreachable()
      } catch (error) {
        if (!HoldfastError.isInstance(error)) throw error
        expect(error.message).toBe(
          `plan "nightly": within is ${shown}: expected a whole number with a unit, such as 90s, 15m, 36h or 30d, or a number of milliseconds; at most 36500d`,
        )
      }
    }
  })

  it('is told in words', () => {
    const told = [900_000, 3_600_000, 129_600_000, 86_400_000, 90_000, 1, 0].map(describeDuration)
    expect(told).toEqual(['15 minutes', '1 hour', '36 hours', '1 day', '90 seconds', '1 millisecond', '0 seconds'])
  })

  it('has a JSON Schema of what may be written', () => {
    expect(toJsonSchema(durationSchema, 'duration', 'input')).toMatchObject({
      anyOf: [
        { type: 'string', pattern: '^\\d{1,12}[smhd]$' },
        { type: 'integer', minimum: 0 },
      ],
    })
  })
})
