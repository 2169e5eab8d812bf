// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import Foundation

/// Compressed files and archives, made with the tools of the machine.
enum ArchiveSeeds {
    /// The seeds of a missing tool are left out, with a message.
    static func make(in scratch: FuzzScratch) throws -> [[UInt8]] {
        let folder = try scratch.folder("archives")
        defer { scratch.remove("archives") }
        let elf = ElfSeeds.all[0]
        _ = try folder.write(elf, to: "program")
        _ = try folder.write(Array("text\n".utf8), to: "notes")
        let tar = "tar --owner=0 --group=0 --mtime=@0 -cf"
        let recipes: [(tools: [String], command: String, made: String)] = [
            (["gzip"], "gzip -nc program > program.gz", "program.gz"),
            (["xz"], "xz -0c program > program.xz", "program.xz"),
            (["bzip2"], "bzip2 -c program > program.bz2", "program.bz2"),
            (["zstd"], "zstd -qc program > program.zst", "program.zst"),
            (["zip"], "zip -qX both.zip program notes", "both.zip"),
            (["tar", "xz"], "\(tar) both.tar program notes && xz -0 both.tar", "both.tar.xz"),
            (
                ["tar", "gzip"], "\(tar) inner.tar program && gzip -nf inner.tar && \(tar) outer.tar inner.tar.gz && gzip -n outer.tar",
                "outer.tar.gz"
            ),
            (
                ["ar", "tar", "gzip"],
                "echo 2.0 > debian-binary && \(tar) data.tar program && gzip -n data.tar && cp data.tar.gz control.tar.gz && "
                    + "ar rcD a.deb debian-binary control.tar.gz data.tar.gz", "a.deb"
            ),
        ]
        var seeds = [StoredForms.zstandard(elf)]
        for recipe in recipes {
            let missing = recipe.tools.filter { !isThere($0) }
            guard missing.isEmpty else {
                Report.line("  programs: no seed \(recipe.made): \(missing.joined(separator: ", ")) is not installed")
                continue
            }
            let shell = Process()
            shell.executableURL = URL(fileURLWithPath: "/bin/sh")
            shell.arguments = ["-c", recipe.command]
            shell.currentDirectoryURL = URL(fileURLWithPath: folder.path)
            try shell.run()
            shell.waitUntilExit()
            guard shell.terminationStatus == 0, let made = FileManager.default.contents(atPath: folder.file(recipe.made)) else {
                Report.line("  programs: no seed \(recipe.made): '\(recipe.command)' failed")
                continue
            }
            seeds.append([UInt8](made))
        }
        return seeds
    }

    private static func isThere(_ tool: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)")
        }
    }
}
