/** What of a file or folder is asked for. Sizes are bytes, `modifiedAt` milliseconds since 1970 UTC by the clock of the machine that holds the disk. */
export interface FileSystemEntry {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly size: number
  readonly modifiedAt: number
  /** Equal for two names of one file, different for two files. */
  readonly identity: string
}

/** One open file or folder. */
export interface OpenFile {
  /** Writes at the end of what was written; answers how many bytes were taken, which may be fewer than given. */
  write(bytes: Uint8Array): Promise<number>
  /** Reads at a position; answers how many bytes came, 0 at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>
  /** Resolves when the bytes (of a folder: its names) survive a power loss. After a failure nothing is known of them; it is not called again. */
  sync(): Promise<void>
  stat(): Promise<FileSystemEntry>
  close(): Promise<void>
}

/**
 * Every call that the local repository makes, as Node's `fs/promises` knows it. It is a seam for tests: what passes here can be observed, failed or
 * killed. Rejects with Node's own errors (`code` is the errno's name). No call follows a symbolic link in the last part of a path but `realpath`.
 */
export interface FileSystem {
  /** `read` an existing file; `create` a new one for writing, mode 0600 (EEXIST if the name is taken); `truncate` to an empty one, mode 0600, new or not; `folder` to sync it. */
  open(path: string, how: 'read' | 'create' | 'truncate' | 'folder'): Promise<OpenFile>
  /** A second name; EEXIST if it is taken. */
  link(existing: string, path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  symlink(target: string, path: string): Promise<void>
  readlink(path: string): Promise<string>
  /** One folder, mode 0700. */
  mkdir(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  readdir(path: string): Promise<readonly { readonly name: string; readonly kind: FileSystemEntry['kind'] }[]>
  lstat(path: string): Promise<FileSystemEntry>
  realpath(path: string): Promise<string>
  /** Rejects when this process may not write here, with EROFS when nobody may. */
  checkWritable(path: string): Promise<void>
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}
