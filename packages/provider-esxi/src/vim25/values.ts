import type { DataTypeName, DataTypes } from './data-types.ts'
import type { XmlElement } from './xml.ts'

/** A reference to something that lives on the host. Its value says nothing by itself and may be used again after the object has gone. */
export interface MoRef<Type extends string = string> {
  readonly type: Type
  readonly value: string
}

interface Simple {
  readonly string: string
  readonly boolean: boolean
  readonly int: number
  /** 64 bits on the wire. What is larger than a safe integer is refused. */
  readonly long: number
  /** As the host wrote it: ISO 8601 with an offset. */
  readonly dateTime: string
  readonly anyType: unknown
  /** As it came: for what is handed back without being understood. */
  readonly xml: XmlElement
  readonly ref: MoRef
}

/** The TypeScript type of a field as `dataTypes` describes it, without its `?`. */
export type ValueOf<Field extends string> = Field extends `${infer Item}[]`
  ? readonly ValueOf<Item>[]
  : Field extends keyof Simple
    ? Simple[Field]
    : Field extends `ref:${infer Type}`
      ? MoRef<Type>
      : Field extends `${infer First}|${infer Rest}`
        ? First | ValueOfEnumeration<Rest>
        : Field extends DataTypeName
          ? Data<Field>
          : never

type ValueOfEnumeration<Text extends string> = Text extends `${infer First}|${infer Rest}` ? First | ValueOfEnumeration<Rest> : Text

/** The fields of a call or a data object, optional where they say so. Lists may be left out when they are sent; when read they are always there. */
export type FieldValues<Fields extends { readonly [name: string]: string }> = {
  readonly [Name in keyof Fields as Fields[Name] extends `${string}?` ? never : Name]: ValueOf<Fields[Name]>
} & {
  readonly [Name in keyof Fields as Fields[Name] extends `${string}?` ? Name : never]?: Fields[Name] extends `${infer Field}?`
    ? ValueOf<Field>
    : never
}

type BaseOf<Name extends DataTypeName> = DataTypes[Name] extends { readonly base: infer Base extends DataTypeName } ? Data<Base> : unknown

/** A data object. `$type` is what it is, which may be something more special than what the field says. */
export type Data<Name extends DataTypeName> = BaseOf<Name> & FieldValues<DataTypes[Name]['fields']> & { readonly $type?: string }
