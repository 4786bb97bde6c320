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
  /** Writes at the end of what was written; answers how many bytes were taken, which may be fewer than given. The failure of an earlier write may be told by a later one, or by {@link OpenFile.sync}. */
  write(bytes: Uint8Array): Promise<number>
  /** Reads at a position; answers how many bytes came, 0 at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>
  /** Resolves when the bytes (of a folder: its names) survive a power loss. After a failure nothing is known of them; it is not called again. */
  sync(): Promise<void>
  /** Kind, size and time of what is open, also when its name is gone. The size counts every byte that {@link OpenFile.write} has taken. */
  stat(): Promise<FileSystemEntry>
  /** Frees the handle, once; nothing else is called afterwards. Says nothing of durability: that is {@link OpenFile.sync}, which comes first. */
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
  /** Gives a file another name in one step and replaces what had it: whoever looks at `to` finds the old file or the new one. Durable once the folder was synced. */
  rename(from: string, to: string): Promise<void>
  /** Removes one name of a file, or a symbolic link itself. Who has the file open still reads it. ENOENT if the name is not there; folders are refused. */
  unlink(path: string): Promise<void>
  /** Makes `path` a symbolic link with `target` as its text, which need not exist. EEXIST if the name is taken. */
  symlink(target: string, path: string): Promise<void>
  /** The text of a symbolic link, exactly as it was made. EINVAL for anything else, ENOENT if the name is not there. */
  readlink(path: string): Promise<string>
  /** One folder, mode 0700. */
  mkdir(path: string): Promise<void>
  /** Removes an empty folder. ENOTEMPTY if something is in it, hidden files too; ENOENT if it is not there. */
  rmdir(path: string): Promise<void>
  /** Everything in a folder, hidden names too, without `.` and `..`, in any order. What comes or goes meanwhile may be in the answer or not. */
  readdir(path: string): Promise<readonly { readonly name: string; readonly kind: FileSystemEntry['kind'] }[]>
  /** What has this name; of a symbolic link, the link itself. ENOENT if the name is not there. */
  lstat(path: string): Promise<FileSystemEntry>
  /** The absolute path without symbolic links in any of its parts: how the repository notices that a link leads out of its folder. ENOENT if a part is not there. */
  realpath(path: string): Promise<string>
  /** Rejects when this process may not write here, with EROFS when nobody may. */
  checkWritable(path: string): Promise<void>
  /** Room on the file system that holds `path`, bytes: what this process may still write (without what is reserved for root), and the whole size. */
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}
