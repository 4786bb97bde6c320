/** What `holdfast --version` prints. The version is that of package.json; a test compares them. */
export const version = '0.0.0'
