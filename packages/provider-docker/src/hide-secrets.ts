/** Stands where a secret was. */
export const hidden = '***'

/** What makes a name that of a secret, wherever it stands in it: rather too much is hidden than too little. The authors of an image are no secret. */
const word = '(?:pass|pw(?:d|(?![a-z]))|secret|token|cred|key|auth(?!ors?(?![a-z])))'
const secretName = new RegExp(word, 'i')

// Parts of names are of bounded length, so that the work does not grow with the square of a long text.
const part = String.raw`[\w.-]{0,64}`
const quoted = String.raw`"(?:\\.?|[^"\\])*"?|'(?:\\.?|[^'\\])*'?`
/** `k=v`, `k: v`, `"k": "v"`, `<k>v`: to the next comma. `,,` is a comma inside a value of mount options; a list or an object goes on to the end. */
const afterName = new RegExp(String.raw`(${word}${part}["'\\]*\s*[=:>]+\s*)(?:[[{].*|(?:${quoted}|,,|[^,])+)`, 'gis')
/** `--k v`, also as two members of a list. */
const afterFlag = new RegExp(String.raw`((?<![\w.-])--?${part}${word}${part}(?:["']?,\s*|\s+))(?:${quoted}|\\.|\S)+`, 'gis')
/** `scheme://user:password@`; a `/` in the password is no URL any more, but is written. What could be a port is none of a user. */
const userInfo = /(?<=:\/\/)(?:[^/\s:@]*:(?!\d*(?:\/|$))\S*|[^/?#\s]*)(?=@)/g
/** `user:password@` without a scheme: the password. */
const password = /(?<=[^\s/:@,]:)(?!\/)[^\s/@]{1,1000}(?=@)/g

/** The value of an option or label of this name is a secret as a whole. Pure. */
export function isSecretName(name: string): boolean {
  return secretName.test(name)
}

/** The text with every secret in it that can be told as one, by the name before it or as part of a URL, replaced by {@link hidden}. Pure. */
export function hideSecrets(text: string): string {
  return text.replace(userInfo, hidden).replace(password, hidden).replace(afterFlag, `$1${hidden}`).replace(afterName, `$1${hidden}`)
}
