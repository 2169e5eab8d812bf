// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A file that the kernel makes up while it is read (`/proc`, `/sys`). Foundation's readers of whole files take the first short read for
/// its end: of a table of mappings they give the first page or so.
public enum KernelFile {
    /// The whole file.
    public static func text(_ path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    }
}
