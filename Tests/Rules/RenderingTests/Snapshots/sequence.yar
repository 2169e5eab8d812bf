rule Epitope_322531afe0ca8a00ba76334e13bebc68
{
    meta:
        description = "a \"sample\""
        date = "2023-11-14"
        expires = "2024-02-12"
        id = "322531afe0ca8a00ba76334e13bebc68"
        revision = 2
        origin = "site"
    strings:
        $t0 = { 0102030405 [1] 0607 [0-5] 08090a0b }
    condition:
        $t0
}
