// SPDX-License-Identifier: Apache-2.0

/// The versions of the installed packages, from dpkg's status file.
struct DpkgVersions: Sendable {
    /// By the package's name, and by its name with its architecture.
    private var versions: [String: String] = [:]

    /// `nil` where dpkg doesn't manage the system.
    ///
    /// - Parameters:
    ///   - root: the folder that is the process's `/`.
    ///   - package: the only package to read of; `nil`: all.
    init?(root: RootFolder, only package: String? = nil) {
        guard let status = root.read(DpkgFiles.status, maxBytes: DpkgFiles.maxFileSize) else { return nil }
        read(status, only: package.map { Array($0.utf8) })
    }

    /// The package of a list, with its version if it is installed.
    func package(ofList name: String) -> (package: String, version: String?) {
        (Self.package(ofList: name), versions[name])
    }

    /// The installed version of a package; `nil` where it isn't installed.
    func version(of package: String) -> String? { versions[package] }

    static func package(ofList name: String) -> String { String(name.prefix { $0 != ":" }) }

    private mutating func read(_ status: [UInt8], only wanted: [UInt8]?) {
        var name: String?
        var architecture: String?
        var version: String?
        var isInstalled = false
        func value(_ line: UnsafeRawBufferPointer, _ key: StaticString) -> Slice<UnsafeRawBufferPointer>? {
            line.starts(with: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
                ? line.dropFirst(key.utf8CodeUnitCount) : nil
        }
        func commit(_ versions: inout [String: String]) {
            if let name, let version, isInstalled {
                versions[name] = version
                if let architecture { versions["\(name):\(architecture)"] = version }
            }
            (name, architecture, version, isInstalled) = (nil, nil, nil, false)
        }
        DpkgFiles.forEachLine(status) { line in
            guard let first = line.first else { return commit(&versions) }
            switch first {
            case UInt8(ascii: "P"):
                if let text = value(line, "Package: "), wanted.map({ text.elementsEqual($0) }) ?? true {
                    name = String(decoding: text, as: UTF8.self)
                }
            case UInt8(ascii: "A") where name != nil:
                if let text = value(line, "Architecture: ") { architecture = String(decoding: text, as: UTF8.self) }
            case UInt8(ascii: "V") where name != nil:
                if let text = value(line, "Version: ") { version = String(decoding: text, as: UTF8.self) }
            case UInt8(ascii: "S") where name != nil:
                if let text = value(line, "Status: ") { isInstalled = text.suffix(10).elementsEqual(" installed".utf8) }
            default: break
            }
        }
        commit(&versions)
    }
}
