// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What is known of a file that code was mapped from, and whether it stands behind that code.
///
/// A file backs what runs from it if the process can't change it unseen, and others could look at it. One that was never
/// named, that can be written while its code runs, or that was written meanwhile and holds nothing but code, backs nothing:
/// it is memory by another name.
public struct MappedFile: Hashable, Sendable {
    public var path: String
    /// Whether the mapping is shared, so that code changes with the file, and the file with what is written to the mapping.
    public var isShared = false
    /// Whether a shared mapping is writable, or can be made so.
    public var isWritable = false
    /// Whether the file has a name.
    public var isNamed = true
    /// Whether another file has its name now, as after an upgrade.
    public var isReplaced = false
    /// Whether it never had one (O_TMPFILE).
    public var wasNeverNamed = false
    /// Whether content, names or rights changed since the process, or the command that it belongs to, began.
    public var isChanged = false
    /// Whether it was made or written since then.
    public var isWritten = false
    /// Whether some process has it open, or mapped, for writing.
    public var isOpenForWriting = false
    /// Whether it is an ELF image whose executable segment the mapping shows, as loaders map it.
    public var isImage = true
    /// Whether it is the program that the process executes: the kernel lets nobody write to it.
    public var isProgram = false

    /// Whether it is a device or the like: what a process maps of `/dev/zero` is anonymous memory.
    public var isDevice = false

    public init(path: String) { self.path = path }

    /// What stands behind the code.
    public var backing: MemoryBacking {
        if isDevice { return .anonymous }
        if isShared, isWritable || isOpenForWriting { return .writtenFile(path: path) }
        // Nothing happened to it since: whoever has it open for writing has not used that.
        guard isChanged || wasNeverNamed else { return .image(path: path) }
        if isOpenForWriting { return .writtenFile(path: path) }
        if wasNeverNamed { return isImage ? .memoryFile(name: path) : .writtenFile(path: path) }
        guard isWritten, !isProgram else { return .image(path: path) }
        if !isImage { return .writtenFile(path: path) }
        // Libraries are unpacked, loaded and unlinked by ordinary software (Java's JNA). One that an upgrade replaced says no
        // more than one that kept its name.
        return isNamed || isReplaced ? .image(path: path) : .memoryFile(name: path)
    }
}
