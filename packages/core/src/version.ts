/** Written into every manifest. The version is that of package.json; a test compares them. */
export const softwareName = 'holdfast'
export const softwareVersion = '0.0.0'
