/**
 * A file that lies elsewhere, as its sender describes it. Confab never opens the URL: whether the
 * file is there, is what it is said to be, and who may read it, is not Confab's to say.
 */
export interface Attachment {
  /** Absolute, https, without user and password. */
  url: string;
  /** The file's name, without a path. */
  name?: string;
  /** Media type, without parameters. */
  type?: string;
  /** Bytes. */
  size?: number;
  /** SHA-256 of the file in hexadecimal digits, lower case. */
  sha256?: string;
}
