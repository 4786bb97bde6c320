/** What survives JSON.stringify. Never holds a secret. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
