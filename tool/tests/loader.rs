//! Key and floor in nexus-boot.
use nexus::loader::patch;

fn image() -> Vec<u8> {
    let mut image = vec![0xAA; 128];
    image[56..60].copy_from_slice(b"ARM\x64");
    image[64..72].copy_from_slice(b"NXROOT\0\0");
    image
}

#[test]
fn key_and_floor_follow_the_magic_and_nothing_else_changes() {
    let mut wanted = image();
    wanted[72..104].fill(7);
    wanted[104..108].copy_from_slice(&[5, 0, 0, 0]);
    assert_eq!(patch(image(), &[7; 32], 5), Ok(wanted));
}

#[test]
fn an_image_of_another_shape_is_refused() {
    let mut no_header = image();
    no_header[56] = 0;
    let mut no_place = image();
    no_place[64] = 0;
    for wrong in [no_header, no_place, image()[..100].to_vec(), Vec::new()] {
        assert!(patch(wrong, &[7; 32], 5).is_err());
    }
}
