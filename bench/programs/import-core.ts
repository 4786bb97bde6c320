// What an application pays before its first line.
import '@holdfast/core'
