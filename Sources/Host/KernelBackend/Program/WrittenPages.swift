// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// Whether the kernel program can tell by itself which pages of an image were written. It reads the page tables, and finds them by two
/// variables of the kernel.
public enum WrittenPages: Hashable, Sendable, CustomStringConvertible {
    case toldByKernel
    /// `/proc/kallsyms` shows no addresses.
    case addressesHidden
    /// The kernel doesn't name the variables.
    case notNamed

    private static let variables = ["page_offset_base", "vmemmap_base"]

    /// - Parameter symbols: the content of `/proc/kallsyms`; `nil` where it can't be read.
    public init(symbols: String?) {
        let lines = (symbols ?? "").split(separator: "\n").map { $0.split(separator: " ", maxSplits: 3) }
        let addresses = Self.variables.map { name in lines.first { $0.count >= 3 && $0[2] == name }?.first }
        if addresses.contains(where: { $0 == nil }) {
            self = .notNamed
        } else {
            self = addresses.contains { $0?.allSatisfy { $0 == "0" } ?? true } ? .addressesHidden : .toldByKernel
        }
    }

    /// On this machine, for this process.
    static var current: WrittenPages { WrittenPages(symbols: ProcFS.text("/proc/kallsyms")) }

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
