/**
 * A data object of vim25, with its fields in the order of the schema: a host refuses children in another order. Fields that we neither send nor read are left out.
 *
 * A field is `string`, `boolean`, `int`, `long`, `dateTime`, `anyType`, `xml` (as it is), an enumeration as `on|off`, a reference as `ref:VirtualMachine`, or the name of a
 * data object; `[]` makes it a list, `?` optional. Of what a host sends, anything may be missing that is not asked for, so little is not optional.
 */
export interface DataTypeEntry {
  /** Its fields come first. */
  readonly base?: string
  readonly fields: { readonly [name: string]: string }
}

/** A call of the service. */
export interface MethodEntry {
  /** The type of the object it is called on. */
  readonly on: string
  /** Its parameters in the order of the schema, written as fields of a data object. */
  readonly parameters: { readonly [name: string]: string }
  /** What comes back, written as a field; absent: nothing does. */
  readonly result?: string
  /** It changes nothing, so that it may be called again when it is not known what became of it. */
  readonly reads?: true
}
