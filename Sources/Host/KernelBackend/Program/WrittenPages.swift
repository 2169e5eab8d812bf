// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// Whether the kernel program can tell by itself which pages of an image were written. It reads the page tables, and finds them by two
/// variables of the kernel.
public enum WrittenPages: Hashable, Sendable, CustomStringConvertible {
    case toldByKernel
    /// `/proc/kallsyms` shows no addresses.
    case addressesHidden
    /// The kernel doesn't name the variables.
    case notNamed

    private static let variables = ["page_offset_base", "vmemmap_base"]

    /// - Parameter symbols: the content of `/proc/kallsyms`, a line a symbol (address, type, name), several megabytes of them; `nil` where
    ///   it can't be read.
    public init(symbols: [UInt8]?) {
        let text = (symbols ?? []) + [0]
        let addresses = Self.variables.compactMap { Self.address(of: $0, in: text) }
        if addresses.count < Self.variables.count {
            self = .notNamed
        } else {
            self = addresses.contains { $0.allSatisfy { $0 == UInt8(ascii: "0") } } ? .addressesHidden : .toldByKernel
        }
    }

    /// The digits of a symbol's address. A symbol of a module is another: the module's name stands behind it.
    ///
    /// - Parameter symbols: with a zero at the end. They are sought by the C library: to split them takes seconds.
    private static func address(of name: String, in symbols: [UInt8]) -> ArraySlice<UInt8>? {
        let place: Int? = symbols.withUnsafeBytes { all in
            guard let start = all.bindMemory(to: CChar.self).baseAddress, let found = strstr(start, " \(name)\n") else { return nil }
            return UnsafePointer(found) - start
        }
        guard let place else { return nil }
        let line = symbols[..<place].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return symbols[line..<place].prefix { $0 != UInt8(ascii: " ") }
    }

    /// On this machine, for this process.
    package static var current: WrittenPages { WrittenPages(symbols: ProcFS.bytes("/proc/kallsyms")) }

    public var description: String {
        switch self {
        case .toldByKernel: "written pages of images are told from others in the kernel"
        case .addressesHidden:
            "written pages of images are told from others by the agent only, which stops the process for that: the kernel hides its "
                + "addresses (kernel.kptr_restrict)"
        case .notNamed:
            "written pages of images are told from others by the agent only, which stops the process for that: this kernel doesn't "
                + "name page_offset_base and vmemmap_base in /proc/kallsyms"
        }
    }

    /// What to change; `nil` where nothing can be, or need be.
    public var remedy: String? {
        self == .addressesHidden ? "set kernel.kptr_restrict to 1 (sysctl), and start the agent again" : nil
    }
}
